// A web page can have its visitor's browser connect to this machine and post lines of its choice: what begins as HTTP is not listened to.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

namespace jackfield {

/// Whether a connection's first line is that of an HTTP request.
inline bool speaks_http(std::string_view line) {
  constexpr std::string_view kMethods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "Host:"};
  return std::ranges::find(kMethods, line.substr(0, line.find(' '))) != std::end(kMethods);
}

}  // namespace jackfield
