#include "line_format.h"

#include <jackfield/settings.h>

#include <algorithm>
#include <array>
#include <optional>

namespace jackfield::cdrfile {
namespace {

constexpr auto kColumns = std::to_array<std::string_view>(
    {"time", "billid", "chan", "address", "caller", "called", "billtime", "ringtime", "duration", "direction", "status", "reason"});
constexpr auto kCombinedColumns = std::to_array<std::string_view>(
    {"time", "billid", "chan", "address", "caller", "called", "billtime", "ringtime", "duration", "status", "reason", "out_leg.chan",
     "out_leg.address", "out_leg.billtime", "out_leg.ringtime", "out_leg.duration", "out_leg.reason"});
/// Everything but numbers stands in quotes, as Yate writes it.
constexpr auto kNumbers = std::to_array<std::string_view>(
    {"time", "billtime", "ringtime", "duration", "out_leg.billtime", "out_leg.ringtime", "out_leg.duration"});

/// The end of the `${…}` that `text` begins with; 1 when it is none.
std::size_t placeholder_end(std::string_view text) {
  if (!text.starts_with("${")) return 1;
  const auto close = text.find('}');
  return close == std::string_view::npos ? 1 : close + 1;
}

void blank_out(std::string& text, std::string_view characters) {
  std::ranges::replace_if(text, [&](char c) { return characters.find(c) != std::string_view::npos; }, ' ');
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out.push_back('"');
    out.push_back(c);
  }
  out.push_back('"');
  return out;
}

std::string fill(std::string_view text, const Message& cdr) {
  return substitute(text, [&cdr](std::string_view name) -> std::optional<std::string_view> {
    const auto* found = cdr.find(name);
    return found ? std::optional(found->value) : std::nullopt;
  });
}

}  // namespace

std::span<const std::string_view> default_columns(bool combined) {
  if (combined) return kCombinedColumns;
  return kColumns;
}

std::string default_format(bool tabs, bool combined) {
  const auto columns = default_columns(combined);
  std::string format;
  for (const auto column : columns) {
    if (!format.empty()) format.push_back(tabs ? '\t' : ',');
    const bool quotes = !tabs && std::ranges::find(kNumbers, column) == kNumbers.end();
    if (quotes) format.push_back('"');
    format.append("${").append(column).push_back('}');
    if (quotes) format.push_back('"');
  }
  return format;
}

LineFormat::LineFormat(std::string_view text, bool raw) {
  if (raw) rules_ = Rules::raw;
  else if (text.find('\t') != std::string_view::npos) rules_ = Rules::tabs;
  else if (text.find(',') != std::string_view::npos) rules_ = Rules::csv;
  else rules_ = Rules::line;
  if (rules_ != Rules::csv) {
    fields_.push_back({.text = std::string(text)});
    return;
  }

  Field field;
  bool in_quotes = false;
  while (!text.empty()) {
    const auto size = placeholder_end(text);
    const auto piece = text.substr(0, size);
    text.remove_prefix(size);
    if (piece == "\"") {
      if (in_quotes && text.starts_with('"')) {
        field.text.push_back('"');  // a doubled quote of the template's own
        text.remove_prefix(1);
        continue;
      }
      in_quotes = !in_quotes;
      field.quoted = true;
    } else if (piece == "," && !in_quotes) {
      fields_.push_back(std::move(field));
      field = {};
    } else {
      field.text.append(piece);
    }
  }
  fields_.push_back(std::move(field));
}

std::string LineFormat::line(const Message& cdr) const {
  std::string line;
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    if (i > 0) line.push_back(',');
    if (rules_ == Rules::csv) {
      const auto value = fill(fields_[i].text, cdr);
      const bool needed = fields_[i].quoted || value.find_first_of(",\"\r\n") != std::string::npos;
      line.append(needed ? quoted(value) : value);
      continue;
    }
    // Value by value: the template's own tabs are its separators.
    std::string value;
    line.append(substitute(fields_[i].text, [&](std::string_view name) -> std::optional<std::string_view> {
      const auto* found = cdr.find(name);
      if (!found) return std::nullopt;
      value = found->value;
      if (rules_ == Rules::tabs) blank_out(value, "\t\r\n");
      if (rules_ == Rules::line) blank_out(value, "\r\n");
      return value;
    }));
  }
  line.push_back('\n');
  return line;
}

}  // namespace jackfield::cdrfile
