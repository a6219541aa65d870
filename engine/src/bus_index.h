// The bus' handlers and watchers by message name, in the order in which they are asked. Engine thread only.
//
// COMPAT §3 speaks of one list of all handlers, sorted by priority. Here each name has its own part of that list, so a dispatch
// costs what its own handlers cost; a place in the order means the same in every part, which is what renaming needs.
#pragma once

#include <jackfield/bus.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

namespace jackfield::detail {

/// Where something stands in the one order: by priority, then by installation.
struct Place {
  int priority = 0;
  std::uint64_t id = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};

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
    const auto later = [](Place a, const auto& entry) { return a < entry->place; };
    return static_cast<std::size_t>(std::upper_bound(entries_.begin(), entries_.end(), place, later) - entries_.begin());
  }
  std::vector<std::unique_ptr<EntryOf>> entries_;
  std::uint64_t version_ = 0;
};

/// A few loads and a multiplication: names are short, ours, and differ in their first or last eight letters or in length.
struct NameHash {
  using is_transparent = void;
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

template <class Value>
using ByName = std::unordered_map<std::string, Value, NameHash, std::equal_to<>>;

}  // namespace jackfield::detail
