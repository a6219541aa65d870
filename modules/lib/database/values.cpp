#include "database/values.h"

#include <algorithm>

namespace jackfield::database {

void values_of(const messages::QueryValues& given, const std::vector<std::string>& names, std::vector<sql::Value>& out) {
  out.assign(names.size(), std::nullopt);
  auto next = given.values.begin();
  for (std::size_t i = 0; i < names.size(); ++i) {
    // Senders mostly give them in this very order, and leave some out.
    if (next != given.values.end() && next->first == names[i]) {
      out[i] = next->second;
      ++next;
      continue;
    }
    const auto found = std::ranges::find(given.values, names[i], [](const auto& value) -> const std::string& { return value.first; });
    if (found != given.values.end()) out[i] = found->second;
  }
}

}  // namespace jackfield::database
