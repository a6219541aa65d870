#include "call/dtmf_info.h"

#include <charconv>
#include <cctype>

#include "sip/headers.h"
#include "sip/text.h"

namespace jackfield::sip::call {

namespace {

constexpr unsigned kLongest = 10000;  // ms; what no thumb holds

/// Of event numbers (RFC 4733 §3.2) that some send in place of digits, those past 9.
constexpr std::string_view kEvents = "*#ABCDF";

std::optional<char> digit_in(std::string_view text) {
  text = text::trim(text);
  if (text.size() == 1 && is_digit(text.front())) return static_cast<char>(std::toupper(static_cast<unsigned char>(text.front())));
  unsigned event = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), event);
  if (error != std::errc() || end != text.data() + text.size() || event < 10 || event - 10 >= kEvents.size()) return std::nullopt;
  return kEvents[event - 10];
}

}  // namespace

bool is_digit(char c) {
  constexpr std::string_view kDigits = "0123456789*#ABCDFabcdf";
  return kDigits.find(c) != std::string_view::npos;
}

std::optional<InfoDigit> read_digit(std::string_view content_type, std::string_view body) {
  const auto type = parse_media_type(content_type);
  if (!type) return std::nullopt;
  if (type->is("application", "dtmf")) {
    const auto digit = digit_in(body);
    return digit ? std::optional(InfoDigit{*digit}) : std::nullopt;
  }
  if (!type->is("application", "dtmf-relay")) return std::nullopt;
  std::optional<char> digit;
  std::optional<unsigned> duration;
  while (!body.empty()) {
    const auto newline = body.find_first_of("\r\n");
    const auto line = body.substr(0, newline);
    body.remove_prefix(newline == std::string_view::npos ? body.size() : newline + 1);
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const auto name = text::trim(line.substr(0, equals));
    const auto value = text::trim(line.substr(equals + 1));
    if (!digit && text::equal(name, "Signal")) digit = digit_in(value);
    if (text::equal(name, "Duration"))
      if (const auto number = parse_number(value); number && *number <= kLongest) duration = *number;
  }
  return digit ? std::optional(InfoDigit{*digit, duration}) : std::nullopt;
}

std::string write_digit(const InfoDigit& digit) {
  constexpr unsigned kUsual = 160;  // ms
  return std::string("Signal=") + digit.digit + "\r\nDuration=" + std::to_string(digit.duration.value_or(kUsual)) + "\r\n";
}

}  // namespace jackfield::sip::call
