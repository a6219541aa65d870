// `jackfield explain`: what the flight recorder knows of a call or of a user's registrations, in the order in which it happened. Reads
// only. Engine thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace jackfield {

class FlightRecorder;

namespace questions {

struct Explanation {
  bool found = false;
  std::string text;  ///< lines that end in LF; when nothing was found, why that may be
};

/// `what`: a Call-ID, a billid or a channel's id for a call; a user's name, also as user@domain or sip:user@domain, for registrations.
/// `all`: also what lies far back.
Explanation explain(const FlightRecorder& recorder, std::string_view what, bool all = false);

/// What of the recorder's can be asked for by name: its users, and the billids of its calls if these are wanted, the newest ones.
std::vector<std::string> known_names(const FlightRecorder& recorder, bool calls);

}  // namespace questions
}  // namespace jackfield
