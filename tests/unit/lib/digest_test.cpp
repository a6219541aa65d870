#include "digest/digest.h"

#include <doctest/doctest.h>

#include <string>

using namespace jackfield::digest;

TEST_CASE("RFC 2617 §3.5 and RFC 7616 §3.9.1: the examples come out as printed there") {
  Hasher hasher;
  {
    const auto ha1 = hasher.ha1(Algorithm::md5, "Mufasa", "testrealm@host.com", "Circle Of Life");
    CHECK(ha1.view() == "939e7578ed9e3c518a452acee763bce9");
    const Answer answer{"GET", "/dir/index.html", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "00000001", "0a4f113b", "auth"};
    CHECK(hasher.response(Algorithm::md5, ha1, answer).view() == "6629fae49393a05397450978507c4ef1");
    CHECK(hasher.verify(Algorithm::md5, ha1, answer, "6629fae49393a05397450978507c4ef1") == Verdict::match);
  }
  const Answer answer{"GET", "/dir/index.html", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "00000001",
                      "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "auth"};
  const auto md5 = hasher.ha1(Algorithm::md5, "Mufasa", "http-auth@example.org", "Circle of Life");
  CHECK(hasher.response(Algorithm::md5, md5, answer).view() == "8ca523f5e9506fed4657c9700eebdbec");
  const auto sha = hasher.ha1(Algorithm::sha256, "Mufasa", "http-auth@example.org", "Circle of Life");
  CHECK(hasher.response(Algorithm::sha256, sha, answer).view() == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}

TEST_CASE("a client without qop answers with HA1, nonce and HA2 alone") {
  Hasher hasher;
  const auto ha1 = hasher.ha1(Algorithm::md5, "101", "Jackfield", "secret");
  const auto ha2 = hasher.hash(Algorithm::md5, "REGISTER:sip:example.com");
  const auto expected = hasher.hash(Algorithm::md5, ha1.str() + ":n0nce:" + ha2.str());
  const Answer answer{"REGISTER", "sip:example.com", "n0nce", {}, {}, {}};
  CHECK(hasher.verify(Algorithm::md5, ha1, answer, expected) == Verdict::match);
}

TEST_CASE("a response that differs in anything is a mismatch, hex case apart") {
  Hasher hasher;
  for (const Algorithm algorithm : {Algorithm::md5, Algorithm::sha256}) {
    const auto ha1 = hasher.ha1(algorithm, "101", "Jackfield", "secret");
    const Answer answer{"REGISTER", "sip:example.com", "abc", "00000001", "xyz", "auth"};
    std::string response = hasher.response(algorithm, ha1, answer).str();
    CHECK(response.size() == hex_size(algorithm));
    CHECK(hasher.verify(algorithm, ha1, answer, response) == Verdict::match);
    std::string upper = response, upper_ha1 = ha1.str();
    for (std::string* text : {&upper, &upper_ha1}) {
      for (char& c : *text) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c;
    }
    CHECK(hasher.verify(algorithm, upper_ha1, answer, upper) == Verdict::match);

    for (std::string_view Answer::*field : {&Answer::method, &Answer::uri, &Answer::nonce, &Answer::nc, &Answer::cnonce}) {
      Answer other = answer;
      other.*field = "other";
      CHECK(hasher.verify(algorithm, ha1, other, response) == Verdict::mismatch);
    }
    CHECK(hasher.verify(algorithm, hasher.ha1(algorithm, "101", "Jackfield", "Secret"), answer, response) == Verdict::mismatch);
    response.back() = response.back() == '0' ? '1' : '0';
    CHECK(hasher.verify(algorithm, ha1, answer, response) == Verdict::mismatch);
    CHECK(hasher.verify(algorithm, ha1, answer, "") == Verdict::mismatch);
    CHECK(hasher.verify(algorithm, ha1, answer, response + "0") == Verdict::mismatch);
    CHECK(hasher.verify(algorithm, ha1, answer, std::string(hex_size(algorithm), 'g')) == Verdict::mismatch);
  }
}

TEST_CASE("what cannot be computed is not a wrong password") {
  Hasher hasher;
  const auto ha1 = hasher.ha1(Algorithm::md5, "101", "Jackfield", "secret");
  const Answer good{"REGISTER", "sip:example.com", "abc", "00000001", "xyz", "auth"};
  Answer bad = good;
  bad.qop = "auth-int";
  CHECK(hasher.verify(Algorithm::md5, ha1, bad, ha1) == Verdict::unusable);
  bad = good;
  bad.nc = {};
  CHECK(hasher.verify(Algorithm::md5, ha1, bad, ha1) == Verdict::unusable);
  bad = good;
  bad.cnonce = {};
  CHECK(hasher.verify(Algorithm::md5, ha1, bad, ha1) == Verdict::unusable);
  CHECK(hasher.verify(Algorithm::md5, "secret", good, ha1) == Verdict::unusable);
  CHECK(hasher.verify(Algorithm::sha256, ha1, good, ha1) == Verdict::unusable);
}

TEST_CASE("known digests; texts longer than any buffer hash as one") {
  Hasher hasher;
  CHECK(hasher.hash(Algorithm::md5, "").view() == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(hasher.hash(Algorithm::md5, "abc").view() == "900150983cd24fb0d6963f7d28e17f72");
  CHECK(hasher.hash(Algorithm::sha256, "abc").view() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hasher.hash(Algorithm::sha256, std::string(1000000, 'a')).view() == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  for (const std::size_t size : {500u, 511u, 512u, 513u, 2000u}) {
    const std::string user(size, 'u');
    CHECK(hasher.ha1(Algorithm::md5, user, "r", "p").view() == hasher.hash(Algorithm::md5, user + ":r:p").view());
  }
}

TEST_CASE("algorithms go by their registered names") {
  CHECK(algorithm_from("MD5") == Algorithm::md5);
  CHECK(algorithm_from("") == Algorithm::md5);
  CHECK(algorithm_from("sha-256") == Algorithm::sha256);
  for (const std::string_view name : {"MD5-sess", "SHA-256-sess", "SHA-512-256", "SHA256"}) CHECK_FALSE(algorithm_from(name));
  for (const Algorithm algorithm : {Algorithm::md5, Algorithm::sha256}) CHECK(algorithm_from(algorithm_name(algorithm)) == algorithm);
}

TEST_CASE("hex and nonce counts") {
  const std::uint8_t bytes[] = {0x00, 0x7f, 0xff, 0xa5};
  CHECK(to_hex(bytes) == "007fffa5");
  std::uint8_t back[4];
  CHECK(from_hex("007FffA5", back));
  CHECK(std::equal(std::begin(bytes), std::end(bytes), back));
  for (const std::string_view text : {"", "007fffa", "007fffa5a", "007fffag", "007fff 5"}) CHECK_FALSE(from_hex(text, back));
  CHECK(parse_nonce_count("00000001") == 1u);
  CHECK(parse_nonce_count("FFFFFFFF") == 0xffffffffu);
  for (const std::string_view text : {"", "1", "000000001", "0000000g", "-0000001"}) CHECK_FALSE(parse_nonce_count(text));
  CHECK(equal_constant_time("", ""));
  CHECK(equal_constant_time("ab", "ab"));
  CHECK_FALSE(equal_constant_time("ab", "ac"));
  CHECK_FALSE(equal_constant_time("ab", "abc"));
}
