#include "bindings/saved_file.h"

#include <jackfield/messages/parameters.h>
#include <jackfield/settings.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>
#include <vector>

#include "text/trimmed.h"

namespace jackfield::bindings {
namespace param = messages::param;
namespace {

constexpr std::string_view kMark = "; jackfield position={} checksum={:016x} (written by jackfield: changed by hand, it replaces what the journal holds)\n";
constexpr std::string_view kMarkStart = "; jackfield position=";
constexpr std::string_view kChecksum = " checksum=";
constexpr std::string_view kFurther = "binding.";  // binding.2.data=…

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// A value stays on its line, whatever the network sent.
void write_line(std::string& out, std::string_view prefix, std::string_view key, std::string_view value) {
  out.append(prefix).append(key).push_back('=');
  std::ranges::transform(value, std::back_inserter(out), [](char c) { return is_control(c) ? ' ' : c; });
  if (value.ends_with('\\')) out.push_back(' ');  // else the next line would continue this one
  out.push_back('\n');
}

void write_binding(std::string& out, const Binding& binding, std::size_t number) {
  const auto prefix = number == 1 ? std::string() : fmt::format("{}{}.", kFurther, number);
  const auto packed = binding.packed();
  write_line(out, prefix, param::kData, packed.data());
  if (binding.expires_ms() != 0) write_line(out, prefix, param::kExpires, fmt::to_string((binding.expires_ms() + 999) / 1000));
  if (!packed.key().empty()) write_line(out, prefix, param::kBinding, packed.key());
  packed.each_parameter([&](std::string_view name, std::string_view value) { write_line(out, prefix, name, value); });
}

/// One binding while its lines are read.
struct Draft {
  std::string data, key;
  std::int64_t expires_s = 0;
  std::vector<std::pair<std::string, std::string>> parameters;

  void set(std::string_view name, std::string_view value) {
    if (name == param::kData) data = value;
    else if (name == param::kBinding) key = value;
    else if (name == param::kExpires) expires_s = std::max<std::int64_t>(parse_integer(value).value_or(0), 0);
    else parameters.emplace_back(name, value);
  }
};

/// The first binding of a section is number 1.
struct SectionDraft {
  std::string username;
  std::map<unsigned, Draft> bindings;

  void set(std::string_view key, std::string_view value) {
    unsigned number = 1;
    if (key.starts_with(kFurther)) {
      const auto rest = key.substr(kFurther.size());
      const auto [end, bad] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
      if (bad == std::errc() && end != rest.data() + rest.size() && *end == '.') {
        key = rest.substr(static_cast<std::size_t>(end - rest.data()) + 1);
      } else {
        number = 1;
      }
    }
    bindings[number].set(key, value);
  }
};

/// The next line of `text` with its continuations joined; takes it off.
std::string take_line(std::string_view& text) {
  std::string line;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(std::string_view("\r\n\0", 3)), text.size());
    auto piece = text.substr(0, end);
    text.remove_prefix(std::min(end + (text.substr(end).starts_with("\r\n") ? 2 : 1), text.size()));
    const bool continues = piece.ends_with('\\') && !trimmed(piece).starts_with(';');
    if (continues) piece.remove_suffix(1);
    line.append(piece);
    if (!continues) break;
  }
  return line;
}

}  // namespace

std::uint64_t checksum_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const unsigned char c : text) hash = (hash ^ c) * 0x100000001b3;
  return hash;
}

std::optional<SavedMark> saved_mark(std::string_view text) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(kMarkStart)) return std::nullopt;
  auto line = text.substr(kMarkStart.size(), end - kMarkStart.size());
  SavedMark mark;
  const auto [after, bad] = std::from_chars(line.data(), line.data() + line.size(), mark.position);
  if (bad != std::errc()) return std::nullopt;
  line.remove_prefix(static_cast<std::size_t>(after - line.data()));
  if (!line.starts_with(kChecksum)) return std::nullopt;
  line.remove_prefix(kChecksum.size());
  if (std::from_chars(line.data(), line.data() + line.size(), mark.checksum, 16).ec != std::errc()) return std::nullopt;
  if (checksum_of(text.substr(end + 1)) != mark.checksum) return std::nullopt;
  return mark;
}

std::string write_saved(const BindingTable& bindings, std::uint64_t position) {
  std::string sections;
  std::vector<Binding*> of_user;
  bindings.each([&](const Binding& binding) {
    of_user.clear();
    const auto username = binding.username();
    bindings.of_user(username, of_user);
    if (of_user.front() != &binding) return;  // written with the first one
    if (username.find(']') != std::string_view::npos || username.front() == '$' || std::ranges::any_of(username, is_control)) return;
    if (trimmed(username) != username) return;
    sections.append("\n[").append(username).append("]\n");
    for (std::size_t i = 0; i < of_user.size(); ++i) write_binding(sections, *of_user[i], i + 1);
  });
  return fmt::format(fmt::runtime(kMark), position, checksum_of(sections)) + sections;
}

std::size_t read_saved(std::string_view text, const std::function<void(PackedBinding, std::int64_t)>& visit) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  BindingPacker packer;
  SectionDraft section;
  std::size_t refused = 0;
  const auto finish = [&] {
    if (section.username.empty()) return;
    bool any = false;
    for (const auto& [number, draft] : section.bindings) {
      if (draft.data.empty()) continue;
      any = true;
      packer.begin(section.username, draft.key, draft.data);
      for (const auto& [name, value] : draft.parameters) packer.add(name, value);
      visit(packer.packed(), draft.expires_s * 1000);
    }
    if (!any) ++refused;
    section = {};
  };

  while (!text.empty()) {
    const auto whole = take_line(text);
    const auto line = trimmed(whole);
    if (line.empty() || line.front() == ';') continue;
    if (line.front() == '[') {
      finish();
      section.username = trimmed(line.substr(1, line.find(']') - 1));
      continue;
    }
    const auto equals = line.find('=');
    if (section.username.empty() || equals == std::string_view::npos || equals == 0) continue;
    section.set(trimmed(line.substr(0, equals)), trimmed(line.substr(equals + 1)));
  }
  finish();
  return refused;
}

}  // namespace jackfield::bindings
