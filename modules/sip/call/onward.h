// What the first party of a call that was begun here goes on to once it has answered. Plain data.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace jackfield::sip::call {

struct Onward {
  std::string target, direct;                                    ///< one of them: a number to route, or where to
  std::vector<std::pair<std::string, std::string>> parameters;  ///< of the message that goes for it
};

}  // namespace jackfield::sip::call
