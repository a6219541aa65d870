// Nonces and nonce counts (D1).
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <random>
#include <set>

#include "stack/auth.h"

using namespace jackfield;
using namespace jackfield::sip;
using namespace jackfield::sip::stack;
using namespace std::chrono_literals;

namespace {

const HashKey kKey{1, 2};
const auto kSource = *net::Address::parse("198.51.100.7", 5060);

AuthHeader used(std::string_view nonce, const std::string& nc) {
  AuthHeader header;
  header.nonce = nonce;
  header.nc = nc;
  header.qop = "auth";
  return header;
}

}  // namespace

TEST_CASE("The keyed hash with two and four rounds is SipHash-2-4") {
  const HashKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  // Vectors of the reference implementation.
  CHECK(keyed_hash<2, 4>(key, "") == 0x726fdb47dd0e0e31);
  CHECK(keyed_hash<2, 4>(key, std::string_view("\0", 1)) == 0x74f839c593dc67fd);
  CHECK(keyed_hash<2, 4>(key, std::string_view("\0\1\2\3\4\5\6\7", 8)) == 0x93f5f5799a932462);
}

TEST_CASE("A nonce is good for its source, its lifetime and its key only") {
  DigestAuth auth(kKey), other({9, 2});
  const auto nonce = auth.make_nonce(kSource, 1000s);
  CHECK(nonce.size() == 40);
  CHECK(auth.is_fresh(nonce, kSource, 1000s, 300s));
  CHECK(auth.is_fresh(nonce, kSource, 1300s, 300s));
  CHECK_FALSE(auth.is_fresh(nonce, kSource, 1301s, 300s));
  CHECK_FALSE(auth.is_fresh(nonce, kSource, 999s, 300s));
  CHECK_FALSE(auth.is_fresh(nonce, kSource.with_port(5061), 1000s, 300s));
  CHECK_FALSE(auth.is_fresh(nonce, *net::Address::parse("198.51.100.8", 5060), 1000s, 300s));
  CHECK_FALSE(other.is_fresh(nonce, kSource, 1000s, 300s));
}

TEST_CASE("A nonce with any digit changed is not ours") {
  DigestAuth auth(kKey);
  const auto nonce = auth.make_nonce(kSource, 1000s);
  for (std::size_t i = 0; i < nonce.size(); ++i) {
    auto forged = nonce;
    forged[i] = forged[i] == '0' ? '1' : '0';
    CAPTURE(i);
    CHECK_FALSE(auth.is_fresh(forged, kSource, 1000s, 300s));
  }
  CHECK_FALSE(auth.is_fresh("", kSource, 1000s, 300s));
  CHECK_FALSE(auth.is_fresh(nonce + "00", kSource, 1000s, 300s));
}

TEST_CASE("No two nonces are alike") {
  DigestAuth auth(kKey);
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) CHECK(seen.insert(auth.make_nonce(kSource, 1000s)).second);
}

TEST_CASE("Each nc is taken once, a retransmission of the latest again, in any order within the window of 64") {
  const std::uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 50; ++round) {
    DigestAuth auth(kKey);
    const auto nonce = auth.make_nonce(kSource, 0s);
    std::set<std::uint32_t> taken;
    std::uint32_t highest = 0;
    std::uint64_t of_highest = 0;
    for (int step = 0; step < 300; ++step) {
      const auto ahead = static_cast<std::int64_t>(random() % 140) - 100;
      const auto nc = static_cast<std::uint32_t>(std::max<std::int64_t>(1, highest + ahead));
      const std::uint64_t fingerprint = random() % 3;
      const bool behind = highest >= nc && highest - nc >= DigestAuth::kWindow;
      const bool again = nc == highest && fingerprint == of_highest;
      const bool expected = !behind && (!taken.contains(nc) || again);
      CAPTURE(nc);
      CAPTURE(highest);
      REQUIRE(auth.note_use(used(nonce, fmt::format("{:08x}", nc)), fingerprint) == expected);
      if (!behind) taken.insert(nc);
      if (nc > highest) highest = nc, of_highest = fingerprint;
    }
  }
}

TEST_CASE("A nonce whose uses were forgotten for lack of room counts as used up, never as new") {
  DigestAuth auth(kKey, 4);
  std::vector<std::string> nonces;
  for (int i = 0; i < 5; ++i) nonces.push_back(auth.make_nonce(kSource, 0s));
  CHECK(auth.note_use(used(nonces[0], "00000001"), 1));
  CHECK(auth.note_use(used(nonces[4], "00000001"), 1));
  CHECK_FALSE(auth.note_use(used(nonces[0], "00000002"), 2));
  CHECK(auth.note_use(used(nonces[1], "00000001"), 1));
}

TEST_CASE("An nc that is none is refused, no qop has none") {
  DigestAuth auth(kKey);
  const auto nonce = auth.make_nonce(kSource, 0s);
  CHECK_FALSE(auth.note_use(used(nonce, "1"), 1));
  AuthHeader plain;
  plain.nonce = nonce;
  CHECK(auth.note_use(plain, 1));
  CHECK(auth.note_use(plain, 2));
}

TEST_CASE("A challenge escapes what the realm holds") {
  std::string out;
  DigestAuth::append_challenge(out, "a\"b\\c", "00", digest::Algorithm::sha256, true);
  CHECK(out == "Digest realm=\"a\\\"b\\\\c\", nonce=\"00\", algorithm=SHA-256, qop=\"auth\", stale=true");
}
