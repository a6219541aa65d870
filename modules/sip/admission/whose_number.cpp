#include "admission/whose_number.h"

#include <jackfield/messages/parameters.h>
#include <jackfield/settings.h>

#include <algorithm>
#include <cctype>

namespace jackfield::sip::admission {

namespace {

namespace param = messages::param;

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool list_has(std::string_view list, std::string_view wanted) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (trim(list.substr(0, comma)) == wanted) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

bool equal_without_case(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

}  // namespace

bool is_own_number(const Sender& user, std::string_view number) {
  if (number.empty()) return false;
  if (number == user.username) return true;
  for (const auto& [name, value] : user.parameters) {
    if (name == param::kNumber.name && value == number) return true;
    if (name == param::kAlternatives.name && list_has(value, number)) return true;
  }
  return false;
}

bool is_anonymous(const NameAddr& from) {
  return equal_without_case(from.uri.host, "anonymous.invalid") || equal_without_case(from.uri.user, "anonymous");
}

bool check_wanted(const Sender& user, std::string_view switch_name, bool general) {
  for (const auto& [name, value] : user.parameters)
    if (name == switch_name) return parse_boolean(value).value_or(general);
  return general;
}

}  // namespace jackfield::sip::admission
