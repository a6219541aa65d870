// SipHash (Aumasson, Bernstein 2012) with a key of this run: nobody outside can choose texts that collide in our tables or guess
// what we derive from a request. One and three rounds for tables, two and four where the value is shown to others. No I/O.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace jackfield::sip::stack {

struct HashKey {
  std::uint64_t k0 = 0, k1 = 0;
};

template <int CompressionRounds = 1, int FinalRounds = 3>
std::uint64_t keyed_hash(const HashKey& key, std::string_view text) {
  static_assert(std::endian::native == std::endian::little, "words are read as they lie in memory");
  std::uint64_t v0 = key.k0 ^ 0x736f6d6570736575ULL, v1 = key.k1 ^ 0x646f72616e646f6dULL;
  std::uint64_t v2 = key.k0 ^ 0x6c7967656e657261ULL, v3 = key.k1 ^ 0x7465646279746573ULL;
  const auto round = [&] {
    v0 += v1, v1 = std::rotl(v1, 13), v1 ^= v0, v0 = std::rotl(v0, 32);
    v2 += v3, v3 = std::rotl(v3, 16), v3 ^= v2;
    v0 += v3, v3 = std::rotl(v3, 21), v3 ^= v0;
    v2 += v1, v1 = std::rotl(v1, 17), v1 ^= v2, v2 = std::rotl(v2, 32);
  };
  const auto absorb = [&](std::uint64_t word) {
    v3 ^= word;
    for (int i = 0; i < CompressionRounds; ++i) round();
    v0 ^= word;
  };
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left >= 8; left -= 8, at += 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    absorb(word);
  }
  std::uint64_t last = static_cast<std::uint64_t>(text.size()) << 56;
  for (std::size_t i = 0; i < left; ++i) last |= static_cast<std::uint64_t>(static_cast<unsigned char>(at[i])) << (8 * i);
  absorb(last);
  v2 ^= 0xff;
  for (int i = 0; i < FinalRounds; ++i) round();
  return v0 ^ v1 ^ v2 ^ v3;
}

/// 13 letters and digits that hold the whole of `value`: fit for a tag or a branch.
inline void append_token(std::string& out, std::uint64_t value) {
  static constexpr char kDigits[] = "abcdefghijklmnopqrstuvwxyz234567";
  char token[13];
  for (char& c : token) c = kDigits[value & 31], value >>= 5;
  out.append(token, sizeof token);
}

}  // namespace jackfield::sip::stack
