// The bus' handlers and watchers by message name, in the order in which they are asked. Engine thread only.
//
// COMPAT §3 speaks of one list of all handlers, sorted by priority. Here each name has its own part of that list, so a dispatch
// costs what its own handlers cost; a place in the order means the same in every part, which is what renaming needs.
#pragma once

#include <jackfield/bus.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jackfield::detail {

/// Where something stands in the one order: by priority, then by installation.
struct Place {
  int priority = 0;
  std::uint64_t id = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};
constexpr Place kBeforeAll{INT_MIN, 0};  // ids begin at 1

template <class Call>
struct Entry {
  // What every dispatch looks at comes first, in one cache line.
  Place place;
  Call call;
  const char* label = nullptr;  ///< `user.auth:100 regfile`
  std::uint32_t pins = 0;       ///< waiting tasks that were made by `call`
  bool withdrawn = false;
  bool filtered = false;
  bool tracked = false;
  HandlerOptions options;
  std::string tracking;  ///< what is appended to the `handlers` parameter
};

/// The entries of one name. An entry withdrawn while something is running is kept until nothing is.
template <class Call>
class EntryList {
 public:
  using EntryOf = Entry<Call>;
  bool empty() const { return entries_.empty(); }
  const std::vector<std::unique_ptr<EntryOf>>& entries() const { return entries_; }

  void insert(std::unique_ptr<EntryOf> entry) {
    const auto position = entries_.begin() + static_cast<std::ptrdiff_t>(after(entry->place));
    entries_.insert(position, std::move(entry));
    ++version_;
  }
  std::unique_ptr<EntryOf> take(Place place) {
    const auto found = entries_.begin() + static_cast<std::ptrdiff_t>(after(place)) - 1;
    auto entry = std::move(*found);
    entries_.erase(found);
    ++version_;
    return entry;
  }

  /// Walks the list from a place on, whatever is inserted and taken meanwhile.
  class Walk {
   public:
    Walk(const EntryList& list, Place last) : list_(&list), last_(last) { seek(); }
    EntryOf* next() {
      if (version_ != list_->version_) seek();
      if (index_ == list_->entries_.size()) return nullptr;
      EntryOf* const entry = list_->entries_[index_++].get();
      last_ = entry->place;
      return entry;
    }

   private:
    void seek() {
      version_ = list_->version_;
      index_ = list_->after(last_);
    }
    const EntryList* list_;
    Place last_;
    std::size_t index_ = 0;
    std::uint64_t version_ = 0;
  };

 private:
  std::size_t after(Place place) const {
    if (place.id == kBeforeAll.id) return 0;
    const auto later = [](Place a, const auto& entry) { return a < entry->place; };
    return static_cast<std::size_t>(std::upper_bound(entries_.begin(), entries_.end(), place, later) - entries_.begin());
  }
  std::vector<std::unique_ptr<EntryOf>> entries_;
  std::uint64_t version_ = 0;
};

/// A few loads and a multiplication: names are short, ours, and differ in their first or last eight letters or in length.
struct NameHash {
  std::size_t operator()(std::string_view name) const {
    std::uint64_t head = 0, tail = 0;
    if (name.size() >= 8) {
      std::memcpy(&head, name.data(), 8);
      std::memcpy(&tail, name.data() + name.size() - 8, 8);
    } else {
      std::memcpy(&head, name.data(), name.size());
    }
    const std::uint64_t mixed = (head ^ (tail << 29 | tail >> 35) ^ name.size()) * 0x9e3779b97f4a7c15ULL;
    return mixed ^ mixed >> 32;
  }
};

/// By message name. Values stay where they are until they are erased. The standard's map divides by a prime for each look-up,
/// and nothing is looked up more often than this; of names there are a few hundred at most, so the buckets need not grow.
template <class Value>
class ByName {
 public:
  Value* find(std::string_view name) const {
    const std::size_t hash = NameHash{}(name);
    for (Node* node = buckets_[hash % kBuckets].get(); node != nullptr; node = node->next.get())
      if (node->hash == hash && node->name == name) return &node->value;
    return nullptr;
  }
  Value& operator[](std::string_view name) {
    if (Value* const found = find(name)) return *found;
    const std::size_t hash = NameHash{}(name);
    auto& bucket = buckets_[hash % kBuckets];
    bucket = std::make_unique<Node>(hash, std::string(name), std::move(bucket));
    return bucket->value;
  }
  void erase(std::string_view name) {
    auto* link = &buckets_[NameHash{}(name) % kBuckets];
    while (*link && (*link)->name != name) link = &(*link)->next;
    if (*link) *link = std::move((*link)->next);
  }
  template <class Visit>
  void each(const Visit& visit) const {
    for (const auto& bucket : buckets_)
      for (const Node* node = bucket.get(); node != nullptr; node = node->next.get()) visit(node->name, node->value);
  }

 private:
  static constexpr std::size_t kBuckets = 256;
  struct Node {
    Node(std::size_t hash_, std::string name_, std::unique_ptr<Node> next_) : hash(hash_), name(std::move(name_)), next(std::move(next_)) {}
    std::size_t hash;
    std::string name;
    Value value;
    std::unique_ptr<Node> next;
  };
  std::array<std::unique_ptr<Node>, kBuckets> buckets_;
};

}  // namespace jackfield::detail
