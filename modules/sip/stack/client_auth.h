// Digest authentication of requests, the client's side (RFC 3261 §22, RFC 7616 and 8760): the answer to a challenge. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "digest/digest.h"
#include "sip/headers.h"

namespace jackfield::sip::stack {

/// What the far side knows the sender by.
struct Credentials {
  std::string username, password;
};

/// How good a challenge is, of those that are offered together; nothing: it cannot be answered (another scheme or algorithm, or
/// nothing but auth-int).
std::optional<digest::Algorithm> usable_challenge(const AuthHeader& challenge);

/// The value of the Authorization or Proxy-Authorization header that answers a usable challenge. `count`: which use of this nonce it
/// is, from 1 on. `cnonce` is the client's own, of characters that need no quoting.
std::string answer_challenge(const AuthHeader& challenge, std::string_view method, std::string_view uri, const Credentials& credentials, std::string_view cnonce,
                             std::uint32_t count = 1);

}  // namespace jackfield::sip::stack
