#include "stack/auth.h"

#include <array>
#include <cstring>

namespace jackfield::sip::stack {

namespace {

constexpr std::size_t kStampSize = 4 + 8;  // time, serial
constexpr std::size_t kTagSize = 8;
constexpr std::size_t kNonceSize = kStampSize + kTagSize;
using NonceBytes = std::array<std::uint8_t, kNonceSize>;

void put(std::uint8_t* to, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i, value >>= 8) to[i] = static_cast<std::uint8_t>(value);
}

std::uint64_t take(const std::uint8_t* from, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | from[i];
  return value;
}

/// Of the stamp and where the nonce was sent: one overheard elsewhere is worth nothing (D7).
std::uint64_t checksum(const HashKey& key, const std::uint8_t* stamp, const net::Address& source) {
  std::array<char, kStampSize + 19> text;
  std::memcpy(text.data(), stamp, kStampSize);
  std::memcpy(text.data() + kStampSize, source.bytes().data(), 16);
  text[kStampSize + 16] = static_cast<char>(source.port() >> 8);
  text[kStampSize + 17] = static_cast<char>(source.port());
  text[kStampSize + 18] = source.is_v6() ? 6 : 4;
  return keyed_hash<2, 4>(key, {text.data(), text.size()});
}

}  // namespace

DigestAuth::DigestAuth(const HashKey& key, std::size_t tracked_nonces) : key_(key), uses_(tracked_nonces) {}

std::string DigestAuth::make_nonce(const net::Address& source, Seconds now) {
  NonceBytes bytes;
  put(bytes.data(), static_cast<std::uint64_t>(now.count()), 4);
  put(bytes.data() + 4, ++last_serial_, 8);
  put(bytes.data() + kStampSize, checksum(key_, bytes.data(), source), kTagSize);
  return digest::to_hex(bytes);
}

bool DigestAuth::is_fresh(std::string_view nonce, const net::Address& source, Seconds now, Seconds lifetime) const {
  NonceBytes bytes;
  if (!digest::from_hex(nonce, bytes)) return false;
  const auto age = now.count() - static_cast<std::int64_t>(take(bytes.data(), 4));
  if (age < 0 || age > lifetime.count()) return false;
  // Compared as a whole: the time it takes says nothing about how much of it was right.
  return take(bytes.data() + kStampSize, kTagSize) == checksum(key_, bytes.data(), source);
}

void DigestAuth::append_challenge(std::string& out, std::string_view realm, std::string_view nonce, digest::Algorithm algorithm,
                                  bool stale) {
  out.append("Digest realm=\"");
  for (const char c : realm) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.append("\", nonce=\"").append(nonce).append("\", algorithm=").append(digest::algorithm_name(algorithm));
  out.append(", qop=\"auth\"");
  if (stale) out.append(", stale=true");
}

digest::Verdict DigestAuth::verify(const AuthHeader& credentials, std::string_view method, const DigestSecret& secret) const {
  const auto algorithm = digest::algorithm_from(credentials.algorithm);
  if (!algorithm || !secret.serves(*algorithm)) return digest::Verdict::unusable;
  const digest::Answer answer{.method = method, .uri = credentials.uri, .nonce = credentials.nonce,
                              .nc = credentials.nc, .cnonce = credentials.cnonce, .qop = credentials.qop};
  const auto stored = *algorithm == digest::Algorithm::md5 ? secret.ha1_md5 : secret.ha1_sha256;
  if (!stored.empty()) return hasher_.verify(*algorithm, stored, answer, credentials.response);
  const auto ha1 = hasher_.ha1(*algorithm, credentials.username, credentials.realm, secret.password);
  return hasher_.verify(*algorithm, ha1, answer, credentials.response);
}

bool DigestAuth::note_use(const AuthHeader& credentials, std::uint64_t fingerprint) {
  if (credentials.qop.empty()) return true;
  const auto nc = digest::parse_nonce_count(credentials.nc);
  std::array<std::uint8_t, 8> digits;
  if (!nc || credentials.nonce.size() != 2 * kNonceSize || !digest::from_hex(credentials.nonce.substr(8, 16), digits)) return false;
  const std::uint64_t serial = take(digits.data(), 8);

  Use& use = uses_[serial % uses_.size()];
  if (use.serial > serial) return false;
  if (use.serial < serial) {
    use = {.serial = serial, .seen = 1, .fingerprint = fingerprint, .highest = *nc};
    return true;
  }
  if (*nc > use.highest) {
    const std::uint32_t ahead = *nc - use.highest;
    use.seen = (ahead < kWindow ? use.seen << ahead : 0) | 1;
    use.highest = *nc;
    use.fingerprint = fingerprint;
    return true;
  }
  const std::uint32_t behind = use.highest - *nc;
  if (behind >= kWindow) return false;
  const std::uint64_t bit = std::uint64_t{1} << behind;
  if (use.seen & bit) return behind == 0 && use.fingerprint == fingerprint;
  use.seen |= bit;
  return true;
}

}  // namespace jackfield::sip::stack
