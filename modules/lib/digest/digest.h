// Digest arithmetic (RFC 7616, RFC 8760, RFC 2617). No I/O, no policy, no state: who may use which algorithm, how old a nonce may
// be and what an nc means is decided by the caller.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace jackfield::digest {

enum class Algorithm : std::uint8_t { md5, sha256 };
/// As it stands in a challenge: "MD5", "SHA-256".
std::string_view algorithm_name(Algorithm algorithm);
/// Without case; an empty name is MD5 (RFC 7616 §3.3). Nothing for those we do not do ("MD5-sess", "SHA-512-256").
std::optional<Algorithm> algorithm_from(std::string_view name);
/// Hex digits of a digest: 32 or 64.
constexpr std::size_t hex_size(Algorithm algorithm) { return algorithm == Algorithm::md5 ? 32 : 64; }

/// A digest in lower-case hex, by value.
class HexDigest {
 public:
  std::string_view view() const { return {text_.data(), size_}; }
  operator std::string_view() const { return view(); }
  std::string str() const { return std::string(view()); }

 private:
  friend class Hasher;
  std::array<char, 64> text_;
  std::uint8_t size_ = 0;
};

/// What the far side (or we) answer a challenge with; the values as they stand in the header, without quotes.
struct Answer {
  std::string_view method, uri, nonce;
  std::string_view nc, cnonce, qop;  ///< all empty: a client without qop (RFC 2617 §3.2.2.1)
};

enum class Verdict : std::uint8_t {
  match,
  mismatch,
  unusable,  ///< not a wrong password: qop we do not do (auth-int), qop without nc or cnonce, or an HA1 that is none
};

/// Computes digests; about a third of a microsecond for a verification with MD5.
class Hasher {
 public:
  Hasher();  ///< throws std::runtime_error where OpenSSL's policy forbids MD5

  /// Of any text.
  HexDigest hash(Algorithm algorithm, std::string_view text) const;
  /// H(user:realm:password).
  HexDigest ha1(Algorithm algorithm, std::string_view user, std::string_view realm, std::string_view password) const;
  /// The response a client sends. `ha1` in hex of either case; `answer.qop` empty or "auth".
  HexDigest response(Algorithm algorithm, std::string_view ha1, const Answer& answer) const;
  /// Compares in constant time. `ha1` and `response` in hex of either case.
  Verdict verify(Algorithm algorithm, std::string_view ha1, const Answer& answer, std::string_view response) const;
  Verdict verify(Algorithm algorithm, const HexDigest& ha1, const Answer& answer, std::string_view response) const;

 private:
  template <class Function>
  class Run;
  template <class Work>
  static auto with(Algorithm algorithm, Work work);
  static HexDigest respond(Algorithm algorithm, std::string_view lower_ha1, const Answer& answer);
};

/// Takes a time that depends on the lengths only.
bool equal_constant_time(std::string_view left, std::string_view right);

/// `0a1b…`, lower case.
std::string to_hex(std::span<const std::uint8_t> bytes);
/// Fills all of `out`; false when `text` is not exactly that many hex digits (of either case).
bool from_hex(std::string_view text, std::span<std::uint8_t> out);
/// The nonce count: exactly eight hex digits (RFC 7616 §3.4).
std::optional<std::uint32_t> parse_nonce_count(std::string_view nc);

}  // namespace jackfield::digest
