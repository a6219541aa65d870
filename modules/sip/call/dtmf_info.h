// Digits in the bodies of INFO, as phones and gateways send them: application/dtmf-relay (`Signal=5`, `Duration=160`) and
// application/dtmf (the digit alone). No RFC has them; everybody reads them. No I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace jackfield::sip::call {

struct InfoDigit {
  char digit;                         ///< 0-9 * # A-D, and F for a hook flash
  std::optional<unsigned> duration = {};  ///< ms
};

inline constexpr std::string_view kDtmfRelay = "application/dtmf-relay";

/// Nothing when the type is neither of the two, or there is no digit in it.
std::optional<InfoDigit> read_digit(std::string_view content_type, std::string_view body);
/// A body of type kDtmfRelay.
std::string write_digit(const InfoDigit& digit);

/// True for a character that is a digit; letters in either case.
bool is_digit(char c);

}  // namespace jackfield::sip::call
