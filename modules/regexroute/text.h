// Text as rules have it: blanks and tabs at both ends mean nothing.
#pragma once

#include <string_view>

namespace jackfield::regexroute {

inline std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view() : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace jackfield::regexroute
