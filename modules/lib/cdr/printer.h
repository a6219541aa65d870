// Call records as text: columns for people, CSV (RFC 4180), a JSON array of objects. Record by record, so that nothing is held. Pure.
#pragma once

#include "cdr/request.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield::cdr {

class Printer {
 public:
  /// `columns` are names of call.cdr's parameters and outlive the printer. The cells of `time` are seconds since 1970 and are printed in
  /// ISO 8601; durations in seconds with milliseconds.
  Printer(Format format, std::span<const std::string_view> columns);

  std::string head() const;
  /// As many cells as there are columns.
  std::string record(std::span<const std::string> cells);
  std::string foot() const;

 private:
  enum class Kind : std::uint8_t { text, time, number };
  std::string list_line(std::span<const std::string> cells) const;
  std::string csv_line(std::span<const std::string> cells) const;
  std::string json_object(std::span<const std::string> cells) const;

  const Format format_;
  std::vector<std::string_view> columns_;
  std::vector<Kind> kinds_;
  bool any_ = false;
};

/// In quotes. Bytes that are not UTF-8 become U+FFFD: JSON has no others.
std::string json_string(std::string_view text);
/// In quotes where it needs them.
std::string csv_field(std::string_view text);

}  // namespace jackfield::cdr
