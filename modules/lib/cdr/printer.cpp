#include "cdr/printer.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <optional>
#include <utility>

namespace jackfield::cdr {
namespace {

constexpr std::string_view kUnknownCharacter = "\xef\xbf\xbd";  // U+FFFD

struct Listed {
  std::string_view column;
  int width;
};
constexpr auto kListed = std::to_array<Listed>({{"time", 24}, {"direction", 9}, {"caller", 16}, {"called", 16}, {"status", 10}, {"billtime", 10}, {"reason", 0}});

/// How many bytes the character that `text` begins with has; 0 when it is none of UTF-8 (RFC 3629, §4).
std::size_t character_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) { return i < text.size() && byte(i) >= low && byte(i) <= high; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) return follows(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf) && follows(2) ? 3 : 0;
  if (first >= 0xf0 && first <= 0xf4) return follows(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf) && follows(2) && follows(3) ? 4 : 0;
  return 0;
}

/// Hands out character by character; broken ones as U+FFFD, byte by byte.
template <class Take>
void each_character(std::string_view text, Take&& take) {
  while (!text.empty()) {
    const auto size = character_size(text);
    take(size == 0 ? kUnknownCharacter : text.substr(0, size));
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
}

/// For a terminal: what the network sent must not steer it. U+0080 to U+009F are controls, too.
std::string printable(std::string_view text) {
  std::string out;
  each_character(text, [&](std::string_view character) {
    const auto first = static_cast<unsigned char>(character[0]);
    const bool control = first < 0x20 || first == 0x7f || (first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0);
    out.append(control ? "?" : character);
  });
  return out;
}

std::string iso_time(std::string_view seconds) {
  const auto time = parse_seconds(seconds);
  if (!time) return std::string(seconds);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(*time / 1000)), *time % 1000);
}

std::optional<std::string> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return fmt::format("{:.3f}", value);
}

}  // namespace

Printer::Printer(Format format, std::span<const std::string_view> columns) : format_(format), columns_(columns.begin(), columns.end()) {
  for (const auto column : columns_) {
    if (column == "time") kinds_.push_back(Kind::time);
    else if (column.ends_with("billtime") || column.ends_with("ringtime") || column.ends_with("duration")) kinds_.push_back(Kind::number);
    else kinds_.push_back(Kind::text);
  }
}

std::string Printer::head() const {
  if (format_ == Format::json) return "[";
  if (format_ == Format::csv) return fmt::format("{}\r\n", fmt::join(columns_, ","));
  std::string line;
  for (const auto& [column, width] : kListed) line += width > 0 ? fmt::format("{:<{}} ", column, width) : fmt::format("{}\n", column);
  return line;
}

std::string Printer::record(std::span<const std::string> cells) {
  if (format_ == Format::list) return list_line(cells);
  if (format_ == Format::csv) return csv_line(cells);
  return (std::exchange(any_, true) ? ",\n" : "\n") + json_object(cells);
}

std::string Printer::foot() const { return format_ == Format::json ? "\n]\n" : ""; }

std::string Printer::list_line(std::span<const std::string> cells) const {
  std::string line;
  for (const auto& [column, width] : kListed) {
    const auto at = static_cast<std::size_t>(std::ranges::find(columns_, column) - columns_.begin());
    std::string text;
    if (at < columns_.size()) {
      if (kinds_[at] == Kind::time) text = iso_time(cells[at]);
      else text = kinds_[at] == Kind::number ? number(cells[at]).value_or(cells[at]) : cells[at];
    }
    text = printable(text);
    line += width > 0 ? fmt::format("{:<{}} ", text, width) : text;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + '\n';
}

std::string Printer::csv_line(std::span<const std::string> cells) const {
  std::string line;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (i > 0) line.push_back(',');
    if (kinds_[i] == Kind::time) line += csv_field(iso_time(cells[i]));
    else line += csv_field(kinds_[i] == Kind::number ? number(cells[i]).value_or(cells[i]) : cells[i]);
  }
  return line + "\r\n";
}

std::string Printer::json_object(std::span<const std::string> cells) const {
  std::string object = "{";
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (i > 0) object += ", ";
    object += json_string(columns_[i]) + ": ";
    if (kinds_[i] == Kind::number && cells[i].empty()) object += "null";
    else if (const auto value = kinds_[i] == Kind::number ? number(cells[i]) : std::nullopt) object += *value;
    else object += json_string(kinds_[i] == Kind::time ? iso_time(cells[i]) : cells[i]);
  }
  return object + "}";
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  each_character(text, [&](std::string_view character) {
    const auto first = static_cast<unsigned char>(character[0]);
    if (first == '"' || first == '\\') out.append("\\").append(character);
    else if (first < 0x20) out += fmt::format("\\u{:04x}", first);
    else out += character;
  });
  out.push_back('"');
  return out;
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) out.append(c == '"' ? 2 : 1, c);
  return out + '"';
}

}  // namespace jackfield::cdr
