// The bindings of all users: one allocation each, found by user and by connection in constant time. A data structure only;
// time and files are the store's.
#pragma once

#include "bindings/packed_binding.h"

#include <jackfield/timers.h>

#include <memory>
#include <vector>

namespace jackfield::bindings {

using BindingId = std::uint32_t;

/// Fixed fields, and right behind them the packed bytes.
class Binding {
 public:
  struct Delete {
    void operator()(Binding* binding) const noexcept;
  };
  using Pointer = std::unique_ptr<Binding, Delete>;
  static Pointer make(PackedBinding packed, std::int64_t expires_ms, bool kept);

  PackedBinding packed() const;
  std::string_view username() const;
  std::int64_t expires_ms() const { return expires_ms_; }  ///< since 1970; 0: never
  BindingId id() const { return id_; }
  /// Whether it is in the journal: those on reliable connections end with the process and are not.
  bool kept() const { return kept_; }
  std::size_t packed_size() const { return size_; }

  TimerHandle expiry;

 private:
  friend class BindingTable;
  Binding() = default;

  std::int64_t expires_ms_ = 0;
  Binding* next_in_bucket_ = nullptr;
  Binding* next_on_connection_ = nullptr;
  Binding** link_on_connection_ = nullptr;  ///< what points here; null: no connection_id
  BindingId id_ = 0;
  std::uint32_t hash_ = 0;
  std::uint32_t size_ = 0;
  bool kept_ = false;
};

class BindingTable {
 public:
  BindingTable();
  ~BindingTable();
  BindingTable(const BindingTable&) = delete;

  /// `packed` is copied. The caller removed what it replaces.
  Binding& add(PackedBinding packed, std::int64_t expires_ms);
  /// Takes the place of `old` among the user's bindings; `old` is gone.
  Binding& replace(Binding& old, PackedBinding packed, std::int64_t expires_ms);
  void remove(Binding& binding);
  void clear();

  Binding* find(BindingId id) const { return id < slots_.size() ? slots_[id].get() : nullptr; }
  Binding* find(std::string_view username, std::string_view key) const;
  /// In the order in which they first registered.
  void of_user(std::string_view username, std::vector<Binding*>& out) const;
  bool has_user(std::string_view username) const;
  void on_connection(std::string_view connection_id, std::vector<Binding*>& out) const;

  std::size_t size() const { return size_; }
  template <class Visit>
  void each(Visit visit) const {
    for (const auto& slot : slots_) {
      if (slot) visit(*slot);
    }
  }

 private:
  Binding& place(Binding::Pointer made, Binding** link, std::string_view connection_id);
  /// Out of both indexes; the slot still owns it.
  void unlink(Binding& binding);
  Binding** user_link(const Binding& binding);
  void link_connection(Binding& binding, std::string_view connection_id);
  void grow();

  std::vector<Binding::Pointer> slots_;
  std::vector<BindingId> free_;
  std::vector<Binding*> users_;        ///< buckets by hash of the username
  std::vector<Binding*> connections_;  ///< buckets by hash of the connection_id; heads never move while linked
  std::size_t size_ = 0;
};

}  // namespace jackfield::bindings
