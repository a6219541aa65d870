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
  const auto parsed = parse_auth(example("MD5"));
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

TEST_CASE("A challenge that nobody can answer, or that gives the password away, is none") {
  for (const char* challenge : {R"(Basic realm="r")", R"(Digest realm="r")", R"(Digest realm="r", nonce="n", algorithm=MD5-sess)",
                                R"(Digest realm="r", nonce="n", qop="auth-int")", R"(Digest realm="r", nonce="n", algorithm=SHA-512-256, qop="auth")"}) {
    INFO(challenge);
    const auto parsed = parse_auth(challenge);
    REQUIRE(parsed);
    CHECK_FALSE(usable_challenge(*parsed));
  }
}
