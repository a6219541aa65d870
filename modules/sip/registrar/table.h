// The table of bindings (D8): by user, by `data`, by connection, by the second they expire in. Decides nothing and tells nobody.
// Ids of bindings hold a slot and its generation; slots are reused. Engine thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "registrar/binding.h"

namespace jackfield::sip::registrar {

/// From a hash to slots, four bytes an entry: open addressing over slot numbers, the keys stay where they are.
class SlotIndex {
 public:
  static constexpr std::uint32_t kEmpty = UINT32_MAX;

  template <class Equal>
  std::uint32_t find(std::uint32_t hash, const Equal& equal) const {
    if (entries_.empty()) return kEmpty;
    for (std::size_t i = hash & mask();; i = (i + 1) & mask()) {
      if (entries_[i] == kEmpty || equal(entries_[i])) return entries_[i];
    }
  }
  template <class Hash>
  void insert(std::uint32_t slot, const Hash& hash_of) {
    if ((size_ + 1) * 4 > entries_.size() * 3) grow(hash_of);
    place(slot, hash_of(slot));
    ++size_;
  }
  /// `slot` must be in it.
  template <class Hash>
  void erase(std::uint32_t slot, const Hash& hash_of) {
    std::size_t hole = hash_of(slot) & mask();
    while (entries_[hole] != slot) hole = (hole + 1) & mask();
    // Close the gap: whatever was displaced past the hole and may stand in it moves up.
    for (std::size_t i = (hole + 1) & mask(); entries_[i] != kEmpty; i = (i + 1) & mask()) {
      const std::size_t home = hash_of(entries_[i]) & mask();
      if (((i - home) & mask()) < ((i - hole) & mask())) continue;
      entries_[hole] = entries_[i];
      hole = i;
    }
    entries_[hole] = kEmpty;
    --size_;
  }
  /// Puts `with` where `slot` is; both have the same hash.
  template <class Hash>
  void replace(std::uint32_t slot, std::uint32_t with, const Hash& hash_of) {
    std::size_t i = hash_of(slot) & mask();
    while (entries_[i] != slot) i = (i + 1) & mask();
    entries_[i] = with;
  }
  std::size_t size() const { return size_; }

 private:
  std::size_t mask() const { return entries_.size() - 1; }
  void place(std::uint32_t slot, std::uint32_t hash) {
    std::size_t i = hash & mask();
    while (entries_[i] != kEmpty) i = (i + 1) & mask();
    entries_[i] = slot;
  }
  template <class Hash>
  void grow(const Hash& hash_of) {
    std::vector<std::uint32_t> old(entries_.empty() ? 16 : entries_.size() * 2, kEmpty);
    old.swap(entries_);
    for (const auto slot : old)
      if (slot != kEmpty) place(slot, hash_of(slot));
  }
  std::vector<std::uint32_t> entries_;
  std::size_t size_ = 0;
};

class Table {
 public:
  Table();
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  /// Null for an id whose binding is gone.
  Binding* find(BindingId id) const;
  /// Where a user's bindings begin: whoever needs them more than once looks for them once. Good until the table changes.
  class User {
   public:
    explicit operator bool() const { return first_ != Binding::kNone; }

   private:
    friend class Table;
    explicit User(std::uint32_t first) : first_(first) {}
    std::uint32_t first_;
  };
  User user(std::string_view username) const { return User(head(username, hash_of(username))); }

  BindingId find(User user, std::string_view key) const;
  BindingId find(std::string_view username, std::string_view key) const { return find(user(username), key); }
  /// The newest binding with that `data`.
  const Binding* find_data(std::string_view data) const;
  bool has_user(std::string_view username) const { return bool(user(username)); }

  /// Calls `visit(id, binding)` for each binding of the user, oldest entry first. `visit` must not change the table.
  template <class Visit>
  void each_of(User user, const Visit& visit) const {
    for (auto slot = user.first_; slot != Binding::kNone; slot = slots_[slot].binding->next_of_user_) visit(id_of(slot), *slots_[slot].binding);
  }
  template <class Visit>
  void each_of(std::string_view username, const Visit& visit) const {
    each_of(user(username), visit);
  }
  std::size_t count_of(User user) const;
  std::size_t count_of(std::string_view username) const { return count_of(user(username)); }

  /// Takes the place of the user's binding with the same key, if there is one.
  struct Put {
    BindingId id;
    Binding::Ptr replaced;
  };
  Put put(Binding::Ptr binding);
  Binding::Ptr take(BindingId id);

  /// Those that expire at `now` or before; call it with a rising time. They stay until taken; one that stays is reported again.
  std::vector<BindingId> due(MonoTime now);
  /// Those on that connection (FlowId::connection); cheapest to take from the last to the first.
  std::vector<BindingId> on_connection(std::uint32_t connection) const;

  /// Every `stride`-th slot from `first` on: for work that is spread over time.
  template <class Visit>
  void every(std::size_t first, std::size_t stride, const Visit& visit) const {
    for (std::size_t slot = first; slot < slots_.size(); slot += stride)
      if (slots_[slot].binding) visit(id_of(static_cast<std::uint32_t>(slot)), *slots_[slot].binding);
  }

  std::size_t size() const { return size_; }
  std::size_t users() const { return by_user_.size(); }

 private:
  struct Slot {
    Binding::Ptr binding;
    std::uint32_t generation = 1;
  };
  static constexpr std::int64_t kRing = 4096;  // seconds; a later expiry passes its place once for each round

  BindingId id_of(std::uint32_t slot) const { return BindingId{slots_[slot].generation} << 32 | slot; }
  static std::uint32_t hash_of(std::string_view text);
  std::uint32_t head(std::string_view username, std::uint32_t hash) const;
  std::uint32_t allocate();
  void link_user(std::uint32_t slot);
  void unlink_user(std::uint32_t slot);
  static std::uint32_t connection_of(const Binding& binding);  // 0: none
  void link_connection(std::uint32_t slot);
  void unlink_connection(std::uint32_t slot);
  void link_due(std::uint32_t slot);
  void unlink_due(std::uint32_t slot);
  static std::int64_t second_of(MonoTime time);

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  SlotIndex by_user_;  // the first of each user's chain
  SlotIndex by_data_;
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> by_connection_;
  std::vector<std::uint32_t> ring_;
  std::int64_t swept_ = -1;  // the last second due() looked at
  std::size_t size_ = 0;
};

}  // namespace jackfield::sip::registrar
