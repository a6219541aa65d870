#include "digest/password.h"

#include <array>
#include <string_view>

namespace jackfield::digest {
namespace {

/// 31 characters: no 0 o, 1 l i. 20 of them are 99 bits.
constexpr std::string_view kAlphabet = "abcdefghjkmnpqrstuvwxyz23456789";
constexpr std::size_t kPasswordLength = 20;

}  // namespace

std::string generate_password(const std::function<void(std::span<std::uint8_t>)>& fill) {
  std::string password;
  // Bytes beyond the last whole round of the alphabet are thrown away, so that every character is as likely.
  constexpr auto kLimit = 256 - 256 % kAlphabet.size();
  std::array<std::uint8_t, 64> bytes;
  while (password.size() < kPasswordLength) {
    fill(bytes);
    for (const auto byte : bytes) {
      if (byte < kLimit && password.size() < kPasswordLength) password.push_back(kAlphabet[byte % kAlphabet.size()]);
    }
  }
  return password;
}

}  // namespace jackfield::digest
