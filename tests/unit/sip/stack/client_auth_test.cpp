// The answer to a digest challenge, as the RFC prints it and as our own server takes it.
#include "stack/client_auth.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "stack/auth.h"

using namespace jackfield;
using namespace jackfield::sip;
using namespace jackfield::sip::stack;

namespace {

const Credentials kMufasa{"Mufasa", "Circle of Life"};

std::string example(std::string_view algorithm) {
  return fmt::format(R"(Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS")",
                     algorithm);
}

std::string answered(std::string_view challenge) {
  const auto parsed = parse_auth(challenge);
  REQUIRE(parsed);
  REQUIRE(usable_challenge(*parsed));
  return answer_challenge(*parsed, "GET", "/dir/index.html", kMufasa, "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
}

}  // namespace

TEST_CASE("RFC 7616 §3.9.1: both examples are answered as printed there") {
  for (const auto& [algorithm, response] : {std::pair{"MD5", "8ca523f5e9506fed4657c9700eebdbec"},
                                            {"SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"}}) {
    const auto text = answered(example(algorithm));
    const auto credentials = parse_auth(text);
    REQUIRE(credentials);
    CHECK(credentials->response == response);
    CHECK(credentials->username == "Mufasa");
    CHECK(credentials->realm == "http-auth@example.org");
    CHECK(credentials->algorithm == algorithm);
    CHECK(credentials->qop == "auth");
    CHECK(credentials->nc == "00000001");
    CHECK(credentials->opaque == "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS");
  }
}

TEST_CASE("A nonce is used again with the next count") {
  const auto challenge = example("MD5");
  const auto parsed = parse_auth(challenge);
  const auto credentials_text = answer_challenge(*parsed, "REGISTER", "sip:example.org", kMufasa, "c", 26);
  const auto credentials = parse_auth(credentials_text);
  REQUIRE(credentials);
  CHECK(credentials->nc == "0000001a");
  CHECK(DigestAuth({1, 2}).verify(*credentials, "REGISTER", {.password = "Circle of Life"}) == digest::Verdict::match);
}

TEST_CASE("What a challenge does not say is not said back, and our own server takes it") {
  const auto text = answered(R"(Digest realm="say \"hi\"", nonce="n")");
  CHECK(text.find("qop") == std::string::npos);
  CHECK(text.find("algorithm") == std::string::npos);
  CHECK(text.find("opaque") == std::string::npos);
  const auto credentials = parse_auth(text);
  REQUIRE(credentials);
  CHECK(credentials->realm == R"(say \"hi\")");
  CHECK(DigestAuth({1, 2}).verify(*credentials, "GET", {.password = "Circle of Life"}) == digest::Verdict::match);
  CHECK(DigestAuth({1, 2}).verify(*credentials, "GET", {.password = "Circle of life"}) == digest::Verdict::mismatch);
}

TEST_CASE("D19 From a challenge that is passed on auth-int is struck, and every other byte stays") {
  const auto with = [](std::string_view qop) { return fmt::format("Digest  realm=\"a \\\"b\\\"\",nonce=\"N,auth-int\" , qop={},opaque=\"auth-int\", x=1", qop); };
  for (const auto& [before, after] : {std::pair{"\"auth,auth-int\"", "\"auth\""}, {"\"auth-int, auth\"", "\"auth\""}, {"\"token,AUTH-INT , auth\"", "\"token,auth\""},
                                      {"\"auth\"", "\"auth\""}, {"auth", "auth"}, {"\"auth-int\"", "\"auth-int\""}})
    CHECK(without_auth_int(with(before)) == with(after));
  for (const auto* other : {"Basic realm=\"auth,auth-int\"", "Digest realm=\"r\", nonce=\"n\"", "Digest qop=", ""}) CHECK(without_auth_int(other) == other);
}

TEST_CASE("Stored hashes answer as the password does, for their realm and algorithm alone") {
  const auto challenge = parse_auth(R"(Digest realm="A", nonce="n", qop="auth")");
  const auto other = parse_auth(R"(Digest realm="B", nonce="n", qop="auth")");
  const auto strong = parse_auth(R"(Digest realm="A", nonce="n", qop="auth", algorithm=SHA-256)");
  const digest::Hasher hasher;
  Credentials stored{"Mufasa", {}, hasher.ha1(digest::Algorithm::md5, "Mufasa", "A", "Circle of Life").str(), {}, "A"};
  CHECK(stored.can_answer());
  CHECK(usable_challenge(*challenge, stored));
  CHECK_FALSE(usable_challenge(*other, stored));
  CHECK_FALSE(usable_challenge(*strong, stored));
  CHECK(answer_challenge(*challenge, "INVITE", "sip:x", stored, "c") == answer_challenge(*challenge, "INVITE", "sip:x", kMufasa, "c"));
  stored.ha1_sha256 = hasher.ha1(digest::Algorithm::sha256, "Mufasa", "A", "Circle of Life").str();
  CHECK(answer_challenge(*strong, "INVITE", "sip:x", stored, "c") == answer_challenge(*strong, "INVITE", "sip:x", kMufasa, "c"));
  CHECK(usable_challenge(*other, kMufasa));
  CHECK_FALSE(Credentials{"Mufasa", ""}.can_answer());
}

TEST_CASE("A challenge that nobody can answer, or that gives the password away, is none") {
  for (const char* challenge : {R"(Basic realm="r")", R"(Digest realm="r")", R"(Digest realm="r", nonce="n", algorithm=MD5-sess)",
                                R"(Digest realm="r", nonce="n", qop="auth-int")", R"(Digest realm="r", nonce="n", algorithm=SHA-512-256, qop="auth")"}) {
    INFO(challenge);
    const auto parsed = parse_auth(challenge);
    REQUIRE(parsed);
    CHECK_FALSE(usable_challenge(*parsed));
  }
}
