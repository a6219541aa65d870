#include "lifecycle/enable_edit.h"

#include "lifecycle/enabling.h"
#include "settings/ini_lines.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

namespace jackfield {

namespace {

/// Each with its line end.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto size = end == std::string_view::npos ? text.size() : end + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

}  // namespace

std::string with_module_enabled(std::string_view text, std::string_view name) {
  const auto lines = lines_of(text);
  const auto wanted = fmt::format("{}=yes\n", name);
  // Where the section's last entry stands, else its header; and the line that speaks of the module already.
  std::optional<std::size_t> after, replace;
  bool inside = false;
  for (const auto& line : settings::ini_lines(text)) {
    const auto index = static_cast<std::size_t>(line.number - 1);
    if (line.kind == settings::IniLine::Kind::bracket) inside = line.key == "modules";
    if (!inside || index >= lines.size()) continue;
    after = index;
    if (line.kind == settings::IniLine::Kind::entry && module_name(line.key) == name) {
      replace = index;
      break;
    }
  }
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (replace == i) {
      out += wanted;
      continue;
    }
    out += lines[i];
    if (!replace && after == i) {
      if (!out.ends_with('\n')) out += '\n';
      out += wanted;
    }
  }
  if (!after) {
    if (!out.empty() && !out.ends_with('\n')) out += '\n';
    out += fmt::format("{}[modules]\n{}", out.empty() ? "" : "\n", wanted);
  }
  return out;
}

}  // namespace jackfield
