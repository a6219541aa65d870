// OpenSSL 3 calls the functions of single algorithms deprecated. Its general ones make a context on the heap for each digest,
// which costs more than MD5 itself, three times for each registration.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "digest/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/md5.h>
#include <openssl/sha.h>

#include <cstring>
#include <stdexcept>

namespace jackfield::digest {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

constexpr std::array<std::int8_t, 256> make_digit_values() {
  std::array<std::int8_t, 256> values{};
  for (auto& value : values) value = -1;
  for (int i = 0; i < 10; ++i) values[static_cast<std::size_t>('0' + i)] = static_cast<std::int8_t>(i);
  for (int i = 0; i < 6; ++i) {
    values[static_cast<std::size_t>('a' + i)] = static_cast<std::int8_t>(10 + i);
    values[static_cast<std::size_t>('A' + i)] = static_cast<std::int8_t>(10 + i);
  }
  return values;
}
constexpr auto kDigitValues = make_digit_values();

int digit_value(char c) { return kDigitValues[static_cast<unsigned char>(c)]; }

bool equal_without_case(std::string_view left, std::string_view lower) {
  if (left.size() != lower.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    const char c = left[i] >= 'A' && left[i] <= 'Z' ? static_cast<char>(left[i] + 32) : left[i];
    if (c != lower[i]) return false;
  }
  return true;
}

/// Lower-case copy of a hex digest of the right length; false when it is none.
bool normalize(std::string_view hex, std::size_t size, std::array<char, 64>& out) {
  if (hex.size() != size) return false;
  for (std::size_t i = 0; i < size; ++i) {
    const int value = digit_value(hex[i]);
    if (value < 0) return false;
    out[i] = kDigits[value];
  }
  return true;
}

void write_hex(std::span<const std::uint8_t> bytes, char* out) {
  for (const std::uint8_t byte : bytes) {
    *out++ = kDigits[byte >> 4];
    *out++ = kDigits[byte & 15];
  }
}

struct Md5 {
  static constexpr std::size_t kSize = MD5_DIGEST_LENGTH;
  MD5_CTX state;
  void begin() { MD5_Init(&state); }
  void add(std::string_view bytes) { MD5_Update(&state, bytes.data(), bytes.size()); }
  void finish(std::uint8_t* out) { MD5_Final(out, &state); }
};

struct Sha256 {
  static constexpr std::size_t kSize = SHA256_DIGEST_LENGTH;
  SHA256_CTX state;
  void begin() { SHA256_Init(&state); }
  void add(std::string_view bytes) { SHA256_Update(&state, bytes.data(), bytes.size()); }
  void finish(std::uint8_t* out) { SHA256_Final(out, &state); }
};

}  // namespace

std::string_view algorithm_name(Algorithm algorithm) { return algorithm == Algorithm::md5 ? "MD5" : "SHA-256"; }

std::optional<Algorithm> algorithm_from(std::string_view name) {
  if (name.empty() || equal_without_case(name, "md5")) return Algorithm::md5;
  if (equal_without_case(name, "sha-256")) return Algorithm::sha256;
  return std::nullopt;
}

/// One digest being computed. What is added is gathered: there are many short pieces, and a call for each costs more than copying.
template <class Function>
class Hasher::Run {
 public:
  Run() { function_.begin(); }
  Run& add(std::string_view text) {
    if (text.size() > sizeof gathered_ - used_) {
      flush();
      if (text.size() > sizeof gathered_) {
        function_.add(text);
        return *this;
      }
    }
    if (!text.empty()) std::memcpy(gathered_ + used_, text.data(), text.size());
    used_ += text.size();
    return *this;
  }
  Run& colon() { return add(":"); }

  HexDigest finish() {
    flush();
    std::uint8_t bytes[Function::kSize];
    function_.finish(bytes);
    HexDigest out;
    out.size_ = Function::kSize * 2;
    write_hex(bytes, out.text_.data());
    return out;
  }

 private:
  void flush() {
    if (used_ > 0) function_.add({gathered_, used_});
    used_ = 0;
  }

  Function function_;
  std::size_t used_ = 0;
  char gathered_[512];
};

template <class Work>
auto Hasher::with(Algorithm algorithm, Work work) {
  if (algorithm == Algorithm::md5) {
    Run<Md5> run;
    return work(run);
  }
  Run<Sha256> run;
  return work(run);
}

Hasher::Hasher() {
  for (const char* name : {"MD5", "SHA256"}) {
    EVP_MD* const type = EVP_MD_fetch(nullptr, name, nullptr);
    if (type == nullptr) throw std::runtime_error(std::string("OpenSSL offers no ") + name);
    EVP_MD_free(type);
  }
}

HexDigest Hasher::hash(Algorithm algorithm, std::string_view text) const {
  return with(algorithm, [&](auto& run) { return run.add(text).finish(); });
}

HexDigest Hasher::ha1(Algorithm algorithm, std::string_view user, std::string_view realm, std::string_view password) const {
  return with(algorithm, [&](auto& run) { return run.add(user).colon().add(realm).colon().add(password).finish(); });
}

HexDigest Hasher::respond(Algorithm algorithm, std::string_view lower_ha1, const Answer& answer) {
  const HexDigest ha2 = with(algorithm, [&](auto& run) { return run.add(answer.method).colon().add(answer.uri).finish(); });
  return with(algorithm, [&](auto& run) {
    run.add(lower_ha1).colon().add(answer.nonce).colon();
    if (!answer.qop.empty()) run.add(answer.nc).colon().add(answer.cnonce).colon().add(answer.qop).colon();
    return run.add(ha2.view()).finish();
  });
}

HexDigest Hasher::response(Algorithm algorithm, std::string_view ha1, const Answer& answer) const {
  std::array<char, 64> lower;
  if (normalize(ha1, hex_size(algorithm), lower)) ha1 = {lower.data(), ha1.size()};
  return respond(algorithm, ha1, answer);
}

Verdict Hasher::verify(Algorithm algorithm, std::string_view ha1, const Answer& answer, std::string_view response_text) const {
  HexDigest lower;
  if (!normalize(ha1, hex_size(algorithm), lower.text_)) return Verdict::unusable;
  lower.size_ = static_cast<std::uint8_t>(hex_size(algorithm));
  return verify(algorithm, lower, answer, response_text);
}

Verdict Hasher::verify(Algorithm algorithm, const HexDigest& ha1, const Answer& answer, std::string_view response_text) const {
  const std::size_t size = hex_size(algorithm);
  if (ha1.view().size() != size) return Verdict::unusable;
  if (!answer.qop.empty() && (!equal_without_case(answer.qop, "auth") || answer.nc.empty() || answer.cnonce.empty())) {
    return Verdict::unusable;
  }
  const HexDigest expected = respond(algorithm, ha1.view(), answer);
  if (equal_constant_time(expected.view(), response_text)) return Verdict::match;
  // Written with capitals, perhaps.
  std::array<char, 64> lower;
  if (!normalize(response_text, size, lower)) return Verdict::mismatch;
  return equal_constant_time(expected.view(), {lower.data(), size}) ? Verdict::match : Verdict::mismatch;
}

bool equal_constant_time(std::string_view left, std::string_view right) {
  return left.size() == right.size() && (left.empty() || CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0);
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
  std::string out(bytes.size() * 2, '\0');
  write_hex(bytes, out.data());
  return out;
}

bool from_hex(std::string_view text, std::span<std::uint8_t> out) {
  if (text.size() != out.size() * 2) return false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = digit_value(text[i * 2]), low = digit_value(text[i * 2 + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return true;
}

std::optional<std::uint32_t> parse_nonce_count(std::string_view nc) {
  std::uint8_t bytes[4];
  if (!from_hex(nc, bytes)) return std::nullopt;
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

}  // namespace jackfield::digest
