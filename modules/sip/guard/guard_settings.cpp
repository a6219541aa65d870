#include "guard/guard_settings.h"

#include <algorithm>

namespace jackfield::sip::guard {

bool GuardSettings::is_exempt(const net::Address& source) const {
  return std::any_of(exempt.begin(), exempt.end(), [&](const net::Cidr& network) { return network.contains(source); });
}

bool GuardSettings::is_emergency(std::string_view number) const {
  return !number.empty() && std::find(emergency.begin(), emergency.end(), number) != emergency.end();
}

}  // namespace jackfield::sip::guard
