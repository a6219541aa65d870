#include "sip/uri.h"

#include <doctest/doctest.h>

#include <string>

using jackfield::sip::canonical;
using jackfield::sip::escape_user;
using jackfield::sip::unescape;
using jackfield::sip::Uri;

namespace {

Uri uri(std::string_view text) {
  const auto parsed = Uri::parse(text);
  CAPTURE(std::string(text));
  REQUIRE(parsed);
  return *parsed;
}

void check_pair(std::string_view left, std::string_view right, bool same) {
  CAPTURE(std::string(left) + "  " + std::string(right));
  CHECK(uri(left).equivalent(uri(right)) == same);
  CHECK(uri(right).equivalent(uri(left)) == same);
  if (canonical(uri(left)) == canonical(uri(right))) CHECK(same);
}

}  // namespace

TEST_CASE("a URI's parts are found") {
  const Uri full = uri("sips:alice:pa$s@[2001:db8::1]:5071;transport=tcp;lr?Subject=hi%20there&x=");
  CHECK(full.scheme == Uri::Scheme::sips);
  CHECK(full.user == "alice");
  CHECK(full.password == "pa$s");
  CHECK(full.host == "[2001:db8::1]");
  CHECK(full.port == 5071);
  CHECK(full.parameters == "transport=tcp;lr");
  CHECK(full.headers == "Subject=hi%20there&x=");
  CHECK(full.parameter("TRANSPORT") == "tcp");
  CHECK(full.parameter("lr") == "");
  CHECK_FALSE(full.parameter("maddr"));
  CHECK_FALSE(full.parameter("trans"));

  const Uri bare = uri("SIP:example.com");
  CHECK(bare.user.empty());
  CHECK(bare.host == "example.com");
  CHECK(bare.port == 0);
  CHECK(uri("sip:*21#@pbx_1.example.com").user == "*21#");
  const Uri tel = uri("tel:+1-201-555-0123;phone-context=example.com");
  CHECK(tel.scheme == Uri::Scheme::tel);
  CHECK(tel.user == "+1-201-555-0123");
  CHECK(tel.parameter("phone-context") == "example.com");
  CHECK(uri("urn:service:sos").scheme == Uri::Scheme::other);
}

TEST_CASE("what is no URI is refused, with the reason and the place") {
  struct Case {
    std::string_view text, reason;
    std::size_t offset;
  };
  for (const Case& one : {
           Case{"", "URI without a scheme", 0},
           Case{"alice@example.com", "URI without a scheme", 5},
           Case{"<sip:a@b>", "URI without a scheme", 0},
           Case{"sip:", "URI without a host", 4},
           Case{"sip:@example.com", "URI with an empty user part", 4},
           Case{"sip:alice@", "URI without a host", 10},
           Case{"sip:a b@example.com", "URI with a bad character in its user part", 5},
           Case{"sip:a%4@example.com", "URI with a broken escape in its user part", 5},
           Case{"sip:example.com%zz", "URI with a broken escape", 15},
           Case{"sip:a@b@c", "URI with a bad character", 7},
           Case{"sip:a@host:", "URI with a bad port", 11},
           Case{"sip:a@host:0", "URI with a bad port", 12},
           Case{"sip:a@host:65536", "URI with a bad port", 16},
           Case{"sip:a@host:50x", "URI with a bad character", 13},
           Case{"sip:a@-host", "URI with a bad host", 6},
           Case{"sip:a@[::1", "URI with an unclosed IPv6 address", 6},
           Case{"sip:a@[::g]", "URI with a bad IPv6 address", 6},
           Case{"sip:a@host;", "URI with a bad parameter", 11},
           Case{"sip:a@host;;lr", "URI with a bad parameter", 11},
           Case{"sip:a@host;x=", "URI with a bad parameter", 13},
           Case{"sip:a@host;lr x", "URI with a bad character", 13},
           Case{"sip:a@host?", "URI with a bad header part", 11},
           Case{"sip:a@host?x", "URI with a bad header part", 12},
           Case{"tel:", "tel URI without a number", 4},
           Case{"tel:+", "tel URI without a number", 5},
           Case{"tel:(-)", "tel URI without a number", 7},
           Case{"http:", "URI with nothing after its scheme", 5},
           Case{"http://a b", "URI with a bad character", 8},
       }) {
    CAPTURE(std::string(one.text));
    const auto parsed = Uri::parse(one.text);
    REQUIRE_FALSE(parsed);
    CHECK(std::string(parsed.error().reason) == std::string(one.reason));
    CHECK(parsed.error().offset == one.offset);
  }
  CHECK_FALSE(Uri::parse(std::string_view("sip:a\0b@example.com", 19)));
  std::string many = "sip:a@host";
  for (std::size_t i = 0; i < jackfield::sip::kMaxUriParameters; ++i) many += ";p";
  CHECK(Uri::parse(many));
  CHECK(Uri::parse(many + ";p").error().reason == "URI with too many parameters");
}

TEST_CASE("RFC 3261 §19.1.4: the examples of equivalent URIs") {
  check_pair("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", true);
  check_pair("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true);
  check_pair("sip:carol@chicago.com", "sip:carol@chicago.com;security=on", true);
  check_pair("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on", true);
  check_pair("sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
             "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com", true);
  check_pair("sip:alice@atlanta.com?subject=project%20x&priority=urgent", "sip:alice@atlanta.com?priority=urgent&subject=project%20x", true);
}

TEST_CASE("RFC 3261 §19.1.4: the examples of URIs that are not equivalent") {
  check_pair("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false);
  check_pair("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false);
  check_pair("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false);
  check_pair("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false);
  check_pair("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false);
  check_pair("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false);
  check_pair("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", false);
}

TEST_CASE("URI equivalence beyond the examples") {
  check_pair("sip:a@example.com", "sips:a@example.com", false);
  check_pair("sip:a@example.com;user=phone", "sip:a@example.com", false);
  check_pair("sip:a@example.com;maddr=1.2.3.4", "sip:a@example.com", false);
  check_pair("sip:a@example.com;ttl=1", "sip:a@example.com", false);
  check_pair("sip:a@example.com;method=INVITE", "sip:a@example.com", false);
  check_pair("sip:a@example.com;lr", "sip:a@example.com", true);
  check_pair("sip:a:x@example.com", "sip:a:y@example.com", false);
  check_pair("sip:a%2fb@example.com", "sip:a/b@example.com", false);   // a reserved character is not its escape
  check_pair("sip:a%2fb@example.com", "sip:a%2Fb@example.com", true);
  check_pair("sip:*21#@example.com", "sip:*21%23@example.com", true);
  check_pair("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0:0::1]", true);
  check_pair("sip:a@[::ffff:192.0.2.1]", "sip:a@[::FFFF:c000:201]", true);
  check_pair("sip:a@example.com;x=1;x=2", "sip:a@example.com;x=2;x=1", true);
  check_pair("sip:a@example.com?h=1&h=2", "sip:a@example.com?h=1&h=1", false);
  check_pair("sip:a@example.com?h=x", "sip:a@example.com?h=X", false);
  check_pair("tel:+1-201-555-0123", "TEL:+12015550123", true);
  check_pair("tel:+12015550123;ext=1", "tel:+12015550123", false);
  check_pair("urn:service:sos", "URN:service:sos", true);
  check_pair("urn:service:sos", "urn:service:SOS", false);
}

TEST_CASE("a canonical form is the same for URIs that differ in writing only") {
  CHECK(canonical(uri("SIP:%61lice@AtLanTa.CoM:5060;Transport=TCP;lr")) == "sip:alice@atlanta.com:5060;lr;transport=tcp");
  CHECK(canonical(uri("sip:a@[2001:DB8::0:1]")) == "sip:a@[2001:db8::1]");
  CHECK(canonical(uri("sip:a%2fb@h?B=c&A=d%20")) == "sip:a%2Fb@h?a=d%20&b=c");
  CHECK(canonical(uri("sip:h?B=&a=c")) == "sip:h?a=c&b=");
  CHECK(canonical(uri("tel:+1-201-555-0123")) == "tel:+12015550123");
  for (const std::string_view text : {"sip:a%2fb:p%41@H:1;x=%3B;Y?B=c&A=d%20", "sip:*21#@h", "sips:[::1]", "tel:+1(2)3;a=b", "urn:X:Y"}) {
    const std::string once = canonical(uri(text));
    CHECK(canonical(uri(once)) == once);
    CHECK(uri(once).equivalent(uri(text)));
  }
}

TEST_CASE("escapes are undone and made") {
  CHECK(unescape("a%20b%41") == "a bA");
  CHECK(unescape("100%") == "100%");
  CHECK(unescape("%4") == "%4");
  CHECK(unescape("%zz%00") == std::string("%zz\0", 4));
  CHECK(escape_user("alice") == "alice");
  CHECK(escape_user("a b@c#\xc3\xa9") == "a%20b%40c%23%C3%A9");
  CHECK(escape_user("+1;x=/?&$,") == "+1;x=/?&$,");
  for (int c = 0; c < 256; ++c) {
    const std::string one(1, static_cast<char>(c));
    CHECK(unescape(escape_user(one)) == one);
    CHECK(Uri::parse("sip:" + escape_user(one) + "@h"));
  }
}
