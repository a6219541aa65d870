// Digest authentication of requests, the server's side (RFC 3261 §22, RFC 7616 and 8760, D1): challenges, nonces that need no memory,
// replay. Knows no user and no message bus: the caller finds the secret. Engine thread; time and key come from outside.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/address.h"
#include "sip/headers.h"

namespace jackfield::sip::stack {

enum class DigestAlgorithm : std::uint8_t { md5, sha256 };
/// "MD5", "SHA-256", as in a challenge.
std::string_view algorithm_name(DigestAlgorithm algorithm);
/// An absent algorithm is MD5 (RFC 7616 §3.4); nothing for one we do not offer (-sess forms among them).
std::optional<DigestAlgorithm> algorithm_from(std::string_view name);

/// What a user proves to know: the clear password, or HA1s (lower-case hexadecimal; empty: none) for the realm they were made for.
struct DigestSecret {
  std::optional<std::string_view> password;
  std::string_view ha1_md5, ha1_sha256;
};

enum class NonceState : std::uint8_t {
  fresh,    ///< ours, given to that very source, young enough
  expired,  ///< anything else: too old, another source's, from before a restart, made up
};

class DigestAuth {
 public:
  using Key = std::array<std::uint8_t, 16>;
  using Seconds = std::chrono::seconds;  ///< of a monotonic clock

  /// Uses of this many nonces are remembered at a time; one that was forgotten counts as expired.
  static constexpr std::size_t kTrackedNonces = 1u << 16;
  static constexpr std::uint32_t kWindow = 64;

  explicit DigestAuth(const Key& key, std::size_t tracked_nonces = kTrackedNonces);

  /// 40 hexadecimal digits: time, serial number and a MAC over both and the source.
  std::string make_nonce(const net::Address& source, Seconds now);
  NonceState check_nonce(std::string_view nonce, const net::Address& source, Seconds now, Seconds lifetime) const;

  /// One value of a WWW-Authenticate header, appended to `out`.
  static void append_challenge(std::string& out, std::string_view realm, std::string_view nonce, DigestAlgorithm algorithm,
                               bool stale);

  /// Whether the response was made from the secret, with or without qop="auth". `method` as on the start line.
  static bool response_fits(const AuthHeader& credentials, std::string_view method, const DigestSecret& secret);

  /// Notes a use of a fresh nonce whose response fitted. False: this nc was used before by another request (its `fingerprint` differs:
  /// a retransmission has the same), or lies behind the window. Without qop there is no nc, and always true.
  bool note_use(const AuthHeader& credentials, std::uint64_t fingerprint);

 private:
  struct Use {
    std::uint64_t serial = 0;       // of the nonce that holds this slot; 0: none
    std::uint64_t seen = 0;         // bit i: highest - i was used
    std::uint64_t fingerprint = 0;  // of the request that used `highest`
    std::uint32_t highest = 0;
  };
  std::uint64_t mac(std::uint32_t time, std::uint64_t serial, const net::Address& source) const;

  std::array<std::uint64_t, 2> key_;
  std::uint64_t last_serial_ = 0;
  std::vector<Use> uses_;
};

}  // namespace jackfield::sip::stack
