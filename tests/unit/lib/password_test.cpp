#include "digest/password.h"

#include <doctest/doctest.h>

#include <random>
#include <set>

TEST_CASE("generated passwords use every character of the alphabet and no look-alike") {
  std::mt19937 random(7);
  std::set<char> seen;
  std::set<std::string> passwords;
  for (int i = 0; i < 200; ++i) {
    const auto password = jackfield::digest::generate_password([&](std::span<std::uint8_t> bytes) {
      for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    });
    CHECK(password.size() == 20);
    passwords.insert(password);
    seen.insert(password.begin(), password.end());
  }
  CHECK(passwords.size() == 200);
  CHECK(seen.size() == 31);
  for (const char c : {'0', 'o', '1', 'l', 'i'}) CHECK_FALSE(seen.contains(c));
}
