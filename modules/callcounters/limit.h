// One limit: how many calls with the same value of a parameter there may be at once, and how many may begin in a second (P-19).
// A call holds its place from the question on, so that two routed at the same moment see each other; it gives it back with its leg.
// Engine thread only.
#pragma once

#include "settings.h"

#include <jackfield/clock.h>
#include <jackfield/message.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace jackfield::callcounters {

class Limit {
 public:
  explicit Limit(LimitSettings settings) : settings_(std::move(settings)) {}

  const LimitSettings& settings() const { return settings_; }
  /// Calls under way keep their places.
  void use(LimitSettings settings) { settings_ = std::move(settings); }

  enum class Entry : std::uint8_t { free, holds, entered, refused };  ///< no value to count; held a place before; holds one now; over the limit
  /// Unless refused, a call with a value holds a place under `leg` until release(). One that is asked about again keeps the place it has,
  /// or gives it back for that of its new value.
  Entry enter(const Message& question, std::string_view leg, MonoTime now);
  /// Whether enter() would refuse a new call now; changes nothing.
  bool would_refuse(const Message& question, MonoTime now) const;
  /// The place of one leg is another's from now on: of who asked, of the leg that the question led to.
  void hand_over(std::string_view from, std::string_view to);
  void release(std::string_view leg);
  /// Forgets values that are as good as new, so that what strangers dial does not pile up.
  void forget_idle(MonoTime now);

  std::size_t values() const { return values_.size(); }

 private:
  struct Value {
    int calls = 0;
    double tokens = 0;  ///< new calls that may begin now; up to a second's worth, at least one
    MonoTime refilled = {};
  };
  int allowed(const Message& question, std::string_view value) const;
  bool may_begin(Value& value, MonoTime now);
  double tokens(const Value& value, MonoTime now) const;
  double burst() const { return settings_.rate > 1 ? settings_.rate : 1; }

  LimitSettings settings_;
  std::unordered_map<std::string, Value> values_;
  std::unordered_map<std::string, std::string> value_of_;  ///< by leg
};

}  // namespace jackfield::callcounters
