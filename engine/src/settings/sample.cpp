#include "settings/sample.h"

#include "settings/ini_lines.h"
#include "settings/tables.h"

#include <fmt/format.h>

namespace jackfield::settings {

namespace {

/// "Default 30 s; a time of at least 1 s; read at start only."
std::string facts(const Key& key) {
  std::string out;
  if (key.type != KeyType::text && key.type != KeyType::secret) out += allowed(key);
  if (!key.unit.empty() && key.type == KeyType::integer) out += fmt::format(" ({})", key.unit);
  if (key.literal) out += out.empty() ? "${…} is filled in from the message" : "; ${…} is filled in from the message";
  if (!key.reloadable) out += out.empty() ? "read at start only" : "; read at start only";
  return out;
}

void add_lines(std::string& out, std::string_view text, std::string_view prefix) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    out += fmt::format("{}{}\n", prefix, text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

void add_key(std::string& out, const Key& key) {
  out += '\n';
  out += wrapped(key.doc, "; ");
  if (const auto more = facts(key); !more.empty()) out += wrapped(more, ";   ");
  out += fmt::format(";{}={}\n", key.name, key.type == KeyType::secret ? std::string_view{} : key.fallback);
}

void add_section(std::string& out, const Section& section) {
  // A section whose name is up to the user appears as an example.
  const bool example = section.name.find('*') != std::string_view::npos;
  std::string name(section.name);
  if (const auto star = name.find('*'); star != std::string::npos) name.replace(star, 1, "NAME");
  out += fmt::format("\n{}[{}]\n", example ? ";" : "", name);
  if (!section.doc.empty()) out += wrapped(section.doc, "; ");
  for (const auto& key : section.keys) add_key(out, key);
  if (!section.sample.empty()) {
    out += '\n';
    add_lines(out, section.sample, ";");
  }
  if (!section.preset.empty()) {
    out += '\n';
    add_lines(out, section.preset, "");
  }
}

}  // namespace

std::string wrapped(std::string_view text, std::string_view prefix, std::size_t width) {
  std::string out;
  while (!text.empty()) {
    auto end = text.find('\n');
    auto paragraph = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::size_t room = width > prefix.size() ? width - prefix.size() : 1;
    do {
      auto cut = paragraph.size();
      if (cut > room) {
        cut = paragraph.rfind(' ', room);
        if (cut == std::string_view::npos) cut = std::min(paragraph.find(' '), paragraph.size());
      }
      out += prefix;
      out += paragraph.substr(0, cut);
      while (out.ends_with(' ')) out.pop_back();
      out += '\n';
      paragraph = trim(paragraph.substr(cut));
    } while (!paragraph.empty());
  }
  return out;
}

std::string sample(const KeyTable& table) {
  std::string out = wrapped(table.doc, "; ");
  out += ";\n";
  out += wrapped(fmt::format("Lines that begin with `;` are comments; a key that stands in one shows its default. `jackfield settings {}` prints this file.",
                             table.name),
                 "; ");
  for (const auto& section : table.sections) add_section(out, section);
  return out;
}

}  // namespace jackfield::settings
