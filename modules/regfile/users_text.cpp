#include "users_text.h"

#include "settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace jackfield::regfile {
namespace {

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxPassword = 128;
constexpr std::string_view kNameMarks = "-_.+~@";

enum class LineKind { key, header, other };  ///< other: empty, a comment, or a directive such as [$include x]

/// A line as the reader of the file sees it: with the lines that continue it.
struct Line {
  std::string_view text;  ///< with its line ends
  LineKind kind = LineKind::other;
  std::string_view name;  ///< of the key or of the section
  std::string_view section;
};

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// The length of the first line of `text` with those that continue it.
std::size_t line_length(std::string_view text) {
  const bool comment = trimmed(text.substr(0, text.find('\n'))).starts_with(';');
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
    const auto content = trimmed(line.text);
    if (content.starts_with('[')) {
      const auto name = trimmed(content.substr(1, content.find(']') - 1));
      if (!name.starts_with('$')) {
        line.kind = LineKind::header;
        line.name = section = name;
      }
    } else if (!content.empty() && !content.starts_with(';')) {
      line.kind = LineKind::key;
      line.name = trimmed(content.substr(0, content.find('=')));
    }
    line.section = section;
    lines.push_back(line);
  }
  return lines;
}

/// The end of line that the file uses.
std::string_view line_end(std::string_view text) { return text.find("\r\n") == std::string_view::npos ? "\n" : "\r\n"; }

std::string password_line(std::string_view password, std::string_view end) {
  // A blank behind a final backslash, which would otherwise join the next line.
  return fmt::format("{}={}{}{}", user_key::kPassword, password, password.ends_with('\\') ? " " : "", end);
}

bool is_password(std::string_view key) {
  return key == user_key::kPassword || key == user_key::kPasswordMd5 || key == user_key::kPasswordSha256;
}

}  // namespace

std::optional<std::string> bad_user_name(std::string_view name) {
  if (name.empty()) return "a user needs a name";
  if (name.size() > kMaxName) return fmt::format("the name is longer than {} characters", kMaxName);
  if (name == kGeneral) return "`general` is the section of settings; choose another name";
  if (name.starts_with('-')) return fmt::format("`{}` looks like an option; a user's name does not begin with -", name);
  const auto bad = std::ranges::find_if_not(name, [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kNameMarks.find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (bad == name.end()) return std::nullopt;
  return fmt::format("a user's name is made of letters, digits and {}; character {} of this one is none of them", kNameMarks,
                     bad - name.begin() + 1);
}

std::optional<std::string> bad_password(std::string_view password) {
  if (password.empty()) return "the password is empty";
  if (password.size() > kMaxPassword) return fmt::format("the password is longer than {} bytes", kMaxPassword);
  if (std::ranges::any_of(password, [](unsigned char c) { return c < 0x20 || c == 0x7f; })) return "the password has control characters";
  if (password.front() == ' ' || password.back() == ' ') return "the password begins or ends with a blank, which the file cannot hold";
  return std::nullopt;
}

std::string with_user(std::string_view text, std::string_view name, std::string_view password) {
  const auto end = line_end(text);
  std::string out(text);
  if (!out.empty() && !out.ends_with('\n')) out.append(end);
  if (!out.empty()) out.append(end);
  return out.append(fmt::format("[{}]{}", name, end)).append(password_line(password, end));
}

std::optional<std::string> with_password(std::string_view text, std::string_view name, std::string_view password) {
  const auto lines = split(text);
  const auto mine = [&](const Line& line) { return line.section == name; };
  if (std::ranges::none_of(lines, mine)) return std::nullopt;
  const auto old = std::ranges::find_if(lines, [&](const Line& line) { return mine(line) && line.kind == LineKind::key && is_password(line.name); });
  const auto header = std::ranges::find_if(lines, [&](const Line& line) { return mine(line) && line.kind == LineKind::header; });

  const auto fresh = password_line(password, line_end(text));
  std::string out;
  for (auto line = lines.begin(); line != lines.end(); ++line) {
    const bool obsolete = mine(*line) && line->kind == LineKind::key && is_password(line->name);
    if (!obsolete) out.append(line->text);
    if (!out.empty() && !out.ends_with('\n') && line == header) out.append(line_end(text));
    if (line == (old == lines.end() ? header : old)) out.append(fresh);
  }
  return out;
}

std::optional<std::string> without_user(std::string_view text, std::string_view name) {
  const auto lines = split(text);
  std::string out;
  bool found = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].section != name) {
      out.append(lines[i].text);
      continue;
    }
    found = true;
    if (lines[i].kind != LineKind::other) continue;
    // Within the section a comment goes with it; behind the last key it belongs to what follows. Directives stay.
    const bool key_follows = [&] {
      for (auto j = i + 1; j < lines.size() && lines[j].section == name; ++j) {
        if (lines[j].kind != LineKind::other) return true;
      }
      return false;
    }();
    if (!key_follows || trimmed(lines[i].text).starts_with("[$")) out.append(lines[i].text);
  }
  if (!found) return std::nullopt;
  return out;
}

}  // namespace jackfield::regfile
