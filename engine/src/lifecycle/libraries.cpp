#include "lifecycle/libraries.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace jackfield {

Problems load_libraries(const Settings& settings, std::string_view section) {
  Problems problems;
  const auto* named = settings.section(section);
  if (!named) return problems;
  const auto complain = [&](const auto& entry, std::string text) {
    problems.push_back({Problem::Severity::warning, entry.where, fmt::format("[{}] {}: {}", section, entry.key, text)});
  };
  for (const auto& entry : named->entries) {
    const auto wanted = parse_boolean(entry.value);
    if (!wanted) complain(entry, fmt::format("`{}` is not yes or no", entry.value));
    if (!wanted.value_or(false)) continue;
    if (!dlopen(entry.key.c_str(), RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE)) complain(entry, dlerror());
  }
  return problems;
}

}  // namespace jackfield
