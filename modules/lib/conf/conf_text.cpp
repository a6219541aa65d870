#include "conf/conf_text.h"

#include "text/trimmed.h"

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::conf {
namespace {

/// Without blanks around it and its line end.
std::string_view bare(std::string_view text) { return trimmed(text, " \t\r\n"); }

/// The length of the first line of `text` with those that continue it.
std::size_t line_length(std::string_view text) {
  const bool comment = bare(text.substr(0, text.find('\n'))).starts_with(';');
  std::size_t length = 0;
  for (;;) {
    const auto end = text.find('\n', length);
    if (end == std::string_view::npos) return text.size();
    auto line = text.substr(length, end - length);
    if (line.ends_with('\r')) line.remove_suffix(1);
    length = end + 1;
    if (comment || !line.ends_with('\\')) return length;
  }
}

}  // namespace

std::vector<Line> split(std::string_view text) {
  std::vector<Line> lines;
  std::string_view section;
  if (text.starts_with("\xef\xbb\xbf")) {
    lines.push_back({.text = text.substr(0, 3)});
    text.remove_prefix(3);
  }
  while (!text.empty()) {
    Line line{.text = text.substr(0, line_length(text))};
    text.remove_prefix(line.text.size());
    const auto content = bare(line.text);
    if (content.starts_with('[')) {
      const auto name = bare(content.substr(1, content.find(']') - 1));
      if (!name.starts_with('$')) {
        line.kind = LineKind::header;
        line.name = section = name;
      }
    } else if (!content.empty() && !content.starts_with(';')) {
      line.kind = LineKind::key;
      line.name = bare(content.substr(0, content.find('=')));
    }
    line.section = section;
    lines.push_back(line);
  }
  return lines;
}

std::string_view line_end(std::string_view text) { return text.find("\r\n") == std::string_view::npos ? "\n" : "\r\n"; }

std::string key_line(std::string_view key, std::string_view value, std::string_view end) {
  // A blank behind a final backslash, which would otherwise join the next line.
  return fmt::format("{}={}{}{}", key, value, value.ends_with('\\') ? " " : "", end);
}

std::string with_section(std::string_view text, std::string_view section, std::span<const Keys::value_type> keys) {
  const auto end = line_end(text);
  std::string out(text);
  if (!out.empty() && !out.ends_with('\n')) out.append(end);
  if (!out.empty()) out.append(end);
  out.append(fmt::format("[{}]{}", section, end));
  for (const auto& [key, value] : keys) out.append(key_line(key, value, end));
  return out;
}

std::optional<std::string> with_key(std::string_view text, std::string_view section, std::string_view key, std::string_view value,
                                    std::span<const std::string_view> replaced) {
  const auto lines = split(text);
  const auto mine = [&](const Line& line) { return line.section == section; };
  const auto obsolete = [&](const Line& line) {
    return mine(line) && line.kind == LineKind::key && (line.name == key || std::ranges::find(replaced, line.name) != replaced.end());
  };
  const auto header = std::ranges::find_if(lines, [&](const Line& line) { return mine(line) && line.kind == LineKind::header; });
  if (header == lines.end()) return std::nullopt;
  const auto old = std::ranges::find_if(lines, obsolete);

  const auto fresh = key_line(key, value, line_end(text));
  std::string out;
  for (auto line = lines.begin(); line != lines.end(); ++line) {
    if (!obsolete(*line)) out.append(line->text);
    if (!out.empty() && !out.ends_with('\n') && line == header) out.append(line_end(text));
    if (line == (old == lines.end() ? header : old)) out.append(fresh);
  }
  return out;
}

std::optional<std::string> without_section(std::string_view text, std::string_view section) {
  const auto lines = split(text);
  std::string out;
  bool found = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].section != section) {
      out.append(lines[i].text);
      continue;
    }
    found = true;
    if (lines[i].kind != LineKind::other) continue;
    // Within the section a comment goes with it; behind the last key it belongs to what follows. Directives stay.
    const bool key_follows = [&] {
      for (auto j = i + 1; j < lines.size() && lines[j].section == section; ++j) {
        if (lines[j].kind != LineKind::other) return true;
      }
      return false;
    }();
    if (!key_follows || bare(lines[i].text).starts_with("[$")) out.append(lines[i].text);
  }
  if (!found) return std::nullopt;
  return out;
}

}  // namespace jackfield::conf
