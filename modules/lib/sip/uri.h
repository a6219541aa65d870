// SIP and SIPS URIs, RFC 3261 §19.1; other schemes are kept as text. Views into the text that was parsed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "sip/error.h"

namespace jackfield::sip {

/// More parameters or headers than this in one URI are refused: comparing them takes a time that grows with the square.
inline constexpr std::size_t kMaxUriParameters = 64;

struct Uri {
  enum class Scheme : std::uint8_t { sip, sips, tel, other } scheme = Scheme::sip;
  std::string_view text;      ///< the whole of it
  std::string_view user;      ///< as written, escapes kept; for tel the number; empty: none
  std::string_view password;
  std::string_view host;      ///< IPv6 in its brackets
  std::uint16_t port = 0;     ///< 0: none written
  std::string_view parameters;  ///< after the first `;`, without it
  std::string_view headers;     ///< after `?`

  static tl::expected<Uri, Error> parse(std::string_view text);
  bool is_sip() const { return scheme == Scheme::sip || scheme == Scheme::sips; }
  /// The value (empty for a flag), or nothing. Names are compared without case.
  std::optional<std::string_view> parameter(std::string_view name) const;
  /// RFC 3261 §19.1.4; tel as RFC 3966 §4; other schemes byte by byte.
  bool equivalent(const Uri& other) const;
};

/// Percent escapes undone; what `username` and `called` are on the bus. What is no escape stays as it is.
std::string unescape(std::string_view escaped);
/// Escaped where the user part of a URI needs it.
std::string escape_user(std::string_view user);
/// A canonical form, fit for a key: URIs with equal forms are equivalent. Equivalent ones have equal forms unless one has a
/// parameter that the other lacks and that does not count (RFC 3261 §19.1.4 lets `;newparam=5` match a URI without it).
std::string canonical(const Uri& uri);

}  // namespace jackfield::sip
