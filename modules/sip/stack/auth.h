// Digest authentication of requests, the server's side (RFC 3261 §22, RFC 7616 and 8760, D1): challenges, nonces that need no memory,
// replay. Knows no user and no message bus: the caller finds the secret. Engine thread; time and key come from outside.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "digest/digest.h"
#include "net/address.h"
#include "sip/headers.h"
#include "stack/keyed_hash.h"

namespace jackfield::sip::stack {

/// What a user proves to know: the clear password, or HA1s in hexadecimal, for the realm of the challenge. Empty: not known.
struct DigestSecret {
  std::string_view password;
  std::string_view ha1_md5, ha1_sha256;

  bool serves(digest::Algorithm algorithm) const {
    return !password.empty() || !(algorithm == digest::Algorithm::md5 ? ha1_md5 : ha1_sha256).empty();
  }
};

class DigestAuth {
 public:
  using Seconds = std::chrono::seconds;  ///< of a monotonic clock

  /// Uses of this many nonces are remembered at a time (32 bytes each); one that was forgotten counts as expired.
  static constexpr std::size_t kTrackedNonces = 1u << 16;
  static constexpr std::uint32_t kWindow = 64;

  explicit DigestAuth(const HashKey& key, std::size_t tracked_nonces = kTrackedNonces);

  /// 40 hexadecimal digits: time, serial number and a checksum of both and the source.
  std::string make_nonce(const net::Address& source, Seconds now);
  /// Ours, given to that very source, and young enough. Everything else is treated alike: too old, another source's, from
  /// before a restart, made up.
  bool is_fresh(std::string_view nonce, const net::Address& source, Seconds now, Seconds lifetime) const;

  /// One value of a WWW-Authenticate header, appended to `out`.
  static void append_challenge(std::string& out, std::string_view realm, std::string_view nonce, digest::Algorithm algorithm,
                               bool stale);

  /// Whether the response was made from the secret, with qop="auth" or without qop. `method` as on the start line.
  digest::Verdict verify(const AuthHeader& credentials, std::string_view method, const DigestSecret& secret) const;

  /// Notes a use of a fresh nonce whose response fitted. False: this nc was used before by another request (its `fingerprint`
  /// differs; a retransmission has the same) or lies behind the window. Without qop there is no nc, and always true.
  bool note_use(const AuthHeader& credentials, std::uint64_t fingerprint);

 private:
  struct Use {
    std::uint64_t serial = 0;       // of the nonce that holds this slot; 0: none
    std::uint64_t seen = 0;         // bit i: highest - i was used
    std::uint64_t fingerprint = 0;  // of the request that used `highest`
    std::uint32_t highest = 0;
  };

  HashKey key_;
  digest::Hasher hasher_;
  std::uint64_t last_serial_ = 0;
  std::vector<Use> uses_;
};

}  // namespace jackfield::sip::stack
