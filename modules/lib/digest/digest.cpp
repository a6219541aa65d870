#include "digest/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

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

}  // namespace

std::string_view algorithm_name(Algorithm algorithm) { return algorithm == Algorithm::md5 ? "MD5" : "SHA-256"; }

std::optional<Algorithm> algorithm_from(std::string_view name) {
  if (name.empty() || equal_without_case(name, "md5")) return Algorithm::md5;
  if (equal_without_case(name, "sha-256")) return Algorithm::sha256;
  return std::nullopt;
}

/// One digest being computed. What is added is gathered, because a call into OpenSSL costs more than copying a few bytes.
class Hasher::Run {
 public:
  explicit Run(Kind& kind) : context_(kind.context) { EVP_DigestInit_ex2(context_, kind.type, nullptr); }

  Run& add(std::string_view text) {
    if (text.size() > sizeof buffer_ - used_) {
      flush();
      if (text.size() > sizeof buffer_) {
        EVP_DigestUpdate(context_, text.data(), text.size());
        return *this;
      }
    }
    if (!text.empty()) std::memcpy(buffer_ + used_, text.data(), text.size());
    used_ += text.size();
    return *this;
  }
  Run& colon() { return add(":"); }

  HexDigest finish() {
    flush();
    std::uint8_t bytes[32];
    unsigned size = 0;
    EVP_DigestFinal_ex(context_, bytes, &size);
    HexDigest out;
    out.size_ = static_cast<std::uint8_t>(size * 2);
    for (unsigned i = 0; i < size; ++i) {
      out.text_[i * 2] = kDigits[bytes[i] >> 4];
      out.text_[i * 2 + 1] = kDigits[bytes[i] & 15];
    }
    return out;
  }

 private:
  void flush() {
    if (used_ > 0) EVP_DigestUpdate(context_, buffer_, used_);
    used_ = 0;
  }

  EVP_MD_CTX* context_;
  std::size_t used_ = 0;
  char buffer_[512];
};

Hasher::Hasher() {
  const char* names[] = {"MD5", "SHA256"};
  for (std::size_t i = 0; i < kinds_.size(); ++i) {
    kinds_[i].type = EVP_MD_fetch(nullptr, names[i], nullptr);
    kinds_[i].context = EVP_MD_CTX_new();
    if (kinds_[i].type == nullptr || kinds_[i].context == nullptr ||
        EVP_DigestInit_ex2(kinds_[i].context, kinds_[i].type, nullptr) != 1) {
      for (auto& made : kinds_) {
        EVP_MD_CTX_free(made.context);
        EVP_MD_free(made.type);
      }
      throw std::runtime_error(std::string("OpenSSL offers no ") + names[i]);
    }
  }
}

Hasher::~Hasher() {
  for (auto& made : kinds_) {
    EVP_MD_CTX_free(made.context);
    EVP_MD_free(made.type);
  }
}

HexDigest Hasher::hash(Algorithm algorithm, std::string_view text) { return Run(kind(algorithm)).add(text).finish(); }

HexDigest Hasher::ha1(Algorithm algorithm, std::string_view user, std::string_view realm, std::string_view password) {
  return Run(kind(algorithm)).add(user).colon().add(realm).colon().add(password).finish();
}

HexDigest Hasher::response(Algorithm algorithm, std::string_view ha1, const Answer& answer) {
  std::array<char, 64> lower;
  if (normalize(ha1, hex_size(algorithm), lower)) ha1 = {lower.data(), ha1.size()};
  const HexDigest ha2 = Run(kind(algorithm)).add(answer.method).colon().add(answer.uri).finish();
  Run run(kind(algorithm));
  run.add(ha1).colon().add(answer.nonce).colon();
  if (!answer.qop.empty()) run.add(answer.nc).colon().add(answer.cnonce).colon().add(answer.qop).colon();
  return run.add(ha2.view()).finish();
}

Verdict Hasher::verify(Algorithm algorithm, std::string_view ha1, const Answer& answer, std::string_view response_text) {
  const std::size_t size = hex_size(algorithm);
  std::array<char, 64> lower;
  if (!normalize(ha1, size, lower)) return Verdict::unusable;
  if (!answer.qop.empty() && (!equal_without_case(answer.qop, "auth") || answer.nc.empty() || answer.cnonce.empty())) {
    return Verdict::unusable;
  }
  const HexDigest expected = response(algorithm, ha1, answer);
  if (!normalize(response_text, size, lower)) return Verdict::mismatch;
  return equal_constant_time(expected.view(), {lower.data(), size}) ? Verdict::match : Verdict::mismatch;
}

Mac::Mac(const Key& key) : key_(key), context_(nullptr) {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
  context_ = mac == nullptr ? nullptr : EVP_MAC_CTX_new(mac);
  EVP_MAC_free(mac);  // the context keeps its own reference
  std::size_t size = kTagSize;
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end()};
  if (context_ == nullptr || EVP_MAC_init(context_, key_.data(), key_.size(), parameters) != 1) {
    EVP_MAC_CTX_free(context_);
    throw std::runtime_error("OpenSSL offers no SIPHASH");
  }
}

Mac::~Mac() {
  EVP_MAC_CTX_free(context_);
  OPENSSL_cleanse(key_.data(), key_.size());
}

Mac::Tag Mac::tag(std::string_view text) {
  Tag tag{};
  std::size_t size = 0;
  if (EVP_MAC_init(context_, key_.data(), key_.size(), nullptr) != 1 ||
      EVP_MAC_update(context_, reinterpret_cast<const unsigned char*>(text.data()), text.size()) != 1 ||
      EVP_MAC_final(context_, tag.data(), &size, tag.size()) != 1 || size != tag.size()) {
    throw std::runtime_error("OpenSSL could not compute a SIPHASH");  // out of memory at worst: an all-zero tag would be a forgery
  }
  return tag;
}

bool Mac::check(std::string_view text, std::span<const std::uint8_t> expected) {
  const Tag made = tag(text);
  return expected.size() == made.size() && CRYPTO_memcmp(made.data(), expected.data(), made.size()) == 0;
}

bool equal_constant_time(std::string_view left, std::string_view right) {
  return left.size() == right.size() && (left.empty() || CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0);
}

void append_hex(std::string& out, std::span<const std::uint8_t> bytes) {
  for (const std::uint8_t byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  append_hex(out, bytes);
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
