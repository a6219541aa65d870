// Values that rules share from one call to the next: `$name=value` sets one, `$(name)` reads it. They live until the module stops;
// a reload sets those of [$init] again and adds what is new in [$once].
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace jackfield::regexroute {

class Variables {
 public:
  static constexpr std::size_t kMost = 100000;

  /// A variable that is not there reads as empty.
  std::string_view get(std::string_view name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::string_view() : std::string_view(found->second);
  }
  bool has(std::string_view name) const { return values_.contains(name); }
  /// False: there are too many already. Their names may come from callers.
  bool set(std::string_view name, std::string value) {
    if (values_.size() >= kMost && !has(name)) return false;
    values_.insert_or_assign(std::string(name), std::move(value));
    return true;
  }
  void clear(std::string_view name) {
    if (const auto found = values_.find(name); found != values_.end()) values_.erase(found);
  }
  const std::map<std::string, std::string, std::less<>>& all() const { return values_; }

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace jackfield::regexroute
