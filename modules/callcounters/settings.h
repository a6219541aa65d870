// callcounters.conf as the module uses it.
#pragma once

#include <jackfield/settings.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield::callcounters {

extern const KeyTable kKeys;

enum class CountedLegs : std::uint8_t { incoming, outgoing, both };

/// What Yate's module knows: how many legs there are of each value of one parameter.
struct CounterSettings {
  std::string parameter;  ///< empty: nothing is counted
  CountedLegs legs = CountedLegs::incoming;
  bool all = false;       ///< every counter goes into call.route, not only the one of the call
};

/// Where a limit is checked: when a call is routed, or when it goes out.
enum class Gate : std::uint8_t { route, execute };

/// [limit PARAMETER]
struct LimitSettings {
  std::string parameter;
  Gate gate = Gate::route;
  int calls = 0;              ///< for every value without a line of its own; 0: any number
  std::map<std::string, int, std::less<>> own_calls;
  std::string own_parameter;  ///< of the message: the value's own limit, before own_calls
  double rate = 0;            ///< new calls a second for each value; 0: any number
  int code = 486;
  std::string reason;

  int calls_of(std::string_view value) const;
};

struct CallCountersSettings {
  int priority = 20;
  CounterSettings counters;
  std::vector<LimitSettings> limits;
};

CallCountersSettings read_settings(const Settings& settings, Problems& problems);

}  // namespace jackfield::callcounters
