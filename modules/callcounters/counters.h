// How many legs there are of each value of one parameter, as call records tell (COMPAT §7). Engine thread only.
#pragma once

#include "settings.h"

#include <jackfield/message.h>

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

namespace jackfield::callcounters {

class Counters {
 public:
  explicit Counters(CounterSettings settings) : settings_(std::move(settings)) {}

  /// Only what call.route is told changes at run time: the values of calls under way are known for the old parameter alone.
  void tell_all(bool all) { settings_.all = all; }

  /// call.cdr: a leg begins, has another value now, or is gone.
  void record(const Message& cdr);
  /// call.route: how many other calls have the value of this one.
  void tell(Message& route) const;
  /// Yate's line for engine.status.
  std::string status(bool details) const;

 private:
  bool counts(std::string_view direction) const;
  void forget(std::string_view chan);

  CounterSettings settings_;
  std::map<std::string, int, std::less<>> counts_;         ///< by value; never 0
  std::unordered_map<std::string, std::string> value_of_;  ///< by the leg's channel
};

}  // namespace jackfield::callcounters
