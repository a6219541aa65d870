// Digest authentication of requests, the client's side (RFC 3261 §22, RFC 7616 and 8760): the answer to a challenge. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "digest/digest.h"
#include "sip/headers.h"

namespace jackfield::sip::stack {

/// What the far side knows the sender by: a password, or hashes of one that are good for their realm alone.
struct Credentials {
  std::string username, password;
  std::string ha1_md5 = {}, ha1_sha256 = {}, ha1_realm = {};

  /// Whether there is anything to answer a challenge with.
  bool can_answer() const { return !password.empty() || !ha1_md5.empty() || !ha1_sha256.empty(); }
  /// Whether a challenge of this realm can be answered with this algorithm.
  bool serve(std::string_view realm, digest::Algorithm algorithm) const {
    return !password.empty() || (realm == ha1_realm && !(algorithm == digest::Algorithm::md5 ? ha1_md5 : ha1_sha256).empty());
  }
};

/// How good a challenge is, of those that are offered together; nothing: it cannot be answered (another scheme or algorithm, or
/// nothing but auth-int).
std::optional<digest::Algorithm> usable_challenge(const AuthHeader& challenge);
/// The same, and with these credentials.
std::optional<digest::Algorithm> usable_challenge(const AuthHeader& challenge, const Credentials& credentials);

/// The value of the Authorization or Proxy-Authorization header that answers a usable challenge. `count`: which use of this nonce it
/// is, from 1 on. `cnonce` is the client's own, of characters that need no quoting.
std::string answer_challenge(const AuthHeader& challenge, std::string_view method, std::string_view uri, const Credentials& credentials, std::string_view cnonce,
                             std::uint32_t count = 1);

/// The value of a WWW- or Proxy-Authenticate header for somebody whose body is not what arrives: byte for byte, but that qop no longer
/// offers auth-int (D19). One that offers nothing else stays as it is.
std::string without_auth_int(std::string_view challenge);

}  // namespace jackfield::sip::stack
