#include "sip/headers.h"

#include <doctest/doctest.h>

#include <cctype>
#include <random>
#include <set>
#include <string>

#include "sip/text.h"
#include "support/seed.h"

using namespace jackfield::sip;

namespace {

template <class Result>
std::string reason(const Result& result) {
  return result ? std::string() : std::string(result.error().reason);
}

}  // namespace

TEST_CASE("every header is found by its name in any case and by its compact form") {
  std::set<char> letters;
  for (std::size_t i = 1; i < kHeaderIds; ++i) {
    const HeaderInfo& info = header_info(static_cast<HeaderId>(i));
    CAPTURE(std::string(info.name));
    std::string upper, lower;
    for (const char c : info.name) {
      upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    for (const std::string_view name : {info.name, std::string_view(upper), std::string_view(lower)}) CHECK(header_id(name) == info.id);
    CHECK(header_id(upper + "x") == HeaderId::other);
    if (upper.size() > 2) CHECK(header_id(upper.substr(1)) == HeaderId::other);
    if (info.compact != 0) {
      CHECK(letters.insert(info.compact).second);
      CHECK(header_id(std::string(1, info.compact)) == info.id);
      CHECK(header_id(std::string(1, static_cast<char>(info.compact - 32))) == info.id);
    }
  }
  // RFC 3261 §7.3.3 and the IANA registry.
  CHECK(letters == std::set<char>{'b', 'c', 'e', 'f', 'i', 'k', 'l', 'm', 'o', 'r', 's', 't', 'u', 'v', 'x'});
  for (const std::string_view name : {"", "z", "1", "-", "X-Unknown", "Vi", "Viaa", "Call ID", "Call\rID", "Call_ID"}) {
    CAPTURE(std::string(name));
    CHECK(header_id(name) == HeaderId::other);
  }
  CHECK_FALSE(header_info(HeaderId::authorization).list);
  CHECK(header_info(HeaderId::cseq).once);
  CHECK_FALSE(header_info(HeaderId::via).once);
}

TEST_CASE("methods go by their exact names") {
  for (int i = 1; i <= static_cast<int>(Method::publish); ++i) CHECK(method_from(method_name(static_cast<Method>(i))) == static_cast<Method>(i));
  CHECK(method_from("REGISTER") == Method::reg);
  for (const std::string_view name : {"", "invite", "INVITE ", "NEWMETHOD"}) CHECK(method_from(name) == Method::other);
}

TEST_CASE("Via: sent-by, branch, received and rport") {
  const auto via = parse_via("SIP/2.0/UDP [2001:db8::9]:5070 ;rport; branch = z9hG4bKx ;received=2001:db8::1;x=\"a;b\"");
  REQUIRE(via);
  CHECK(via->transport == "UDP");
  CHECK(via->host == "[2001:db8::9]");
  CHECK(via->port == 5070);
  CHECK(via->rport_asked);
  CHECK(via->rport == 0);
  CHECK(via->branch == "z9hG4bKx");
  CHECK(via->received == "2001:db8::1");
  CHECK(via->parameters.get("X") == "a;b");
  const auto filled = parse_via("SIP/2.0/TCP host.example.com;rport=4711");
  CHECK(filled->rport == 4711);
  CHECK_FALSE(parse_via("SIP/2.0/TCP h")->rport_asked);

  CHECK(reason(parse_via("")) == "bad protocol");
  CHECK(reason(parse_via("SIP/2.0 host")) == "bad protocol");
  CHECK(reason(parse_via("SIP/2.0/UDP")) == "no blank after the protocol");
  CHECK(reason(parse_via("SIP/2.0/UDP ")) == "no host");
  CHECK(reason(parse_via("SIP/2.0/UDP ;branch=x")) == "no host");
  CHECK(reason(parse_via("SIP/2.0/UDP [::g]")) == "bad IPv6 address");
  CHECK(reason(parse_via("SIP/2.0/UDP [::1")) == "bad IPv6 address");
  CHECK(reason(parse_via("SIP/2.0/UDP h:")) == "bad port");
  CHECK(reason(parse_via("SIP/2.0/UDP h:65536")) == "bad port");
  CHECK(reason(parse_via("SIP/2.0/UDP h:0")) == "bad port");
  CHECK(reason(parse_via("SIP/2.0/UDP h;rport=x")) == "bad rport");
  CHECK(reason(parse_via("SIP/2.0/UDP h;branch=")) == "bad parameter");
  CHECK(reason(parse_via("SIP/2.0/UDP h;x=\"open")) == "bad parameter");
  CHECK(reason(parse_via("SIP/2.0/UDP h trailing")) == "bad parameter");
}

TEST_CASE("addresses: with and without brackets, display names of all kinds") {
  struct Case {
    std::string_view text, display, uri, tag;
  };
  for (const Case& one : {
           Case{"<sip:a@b>", "", "sip:a@b", ""},
           Case{"sip:a@b", "", "sip:a@b", ""},
           Case{"sip:a@b;tag=1", "", "sip:a@b", "1"},
           Case{" sip:a@b ; TAG = 1 ", "", "sip:a@b", "1"},
           Case{"<sip:a@b;tag=uri>;tag=header", "", "sip:a@b;tag=uri", "header"},
           Case{"Alice <sip:a@b>", "Alice", "sip:a@b", ""},
           Case{"Alice B. Toklas<sip:a@b>;tag=x", "Alice B. Toklas", "sip:a@b", "x"},
           Case{"\"Alice\" <sip:a@b>", "Alice", "sip:a@b", ""},
           Case{"\"a<b>,;:\\\"c\\\\\"<sip:a@b>", "a<b>,;:\\\"c\\\\", "sip:a@b", ""},
           Case{"\"\"<sip:a@b>", "", "sip:a@b", ""},
           Case{"J\xc3\xbcrgen <sip:a@b>", "J\xc3\xbcrgen", "sip:a@b", ""},
           Case{"Alice\r\n  Toklas <sip:a@b>", "Alice\r\n  Toklas", "sip:a@b", ""},
           Case{"<sip:a@[::1]:5060;lr?x=y>", "", "sip:a@[::1]:5060;lr?x=y", ""},
           Case{"<sip:a@b>;x=\"tag=no\";tag=yes", "", "sip:a@b", "yes"},
           Case{"tel:+123;tag=5", "", "tel:+123", "5"},
       }) {
    CAPTURE(std::string(one.text));
    const auto address = parse_name_addr(one.text);
    REQUIRE(address);
    CHECK(address->display == one.display);
    CHECK(address->uri.text == one.uri);
    CHECK(address->tag == one.tag);
  }
  CHECK(reason(parse_name_addr("")) == "URI without a scheme");
  CHECK(reason(parse_name_addr("\"Alice <sip:a@b>")) == "unterminated quoted string");
  CHECK(reason(parse_name_addr("\"Alice\\\" <sip:a@b>")) == "unterminated quoted string");
  CHECK(reason(parse_name_addr("\"Alice\" sip:a@b")) == "no address after the display name");
  CHECK(reason(parse_name_addr("<sip:a@b")) == "unclosed angle bracket");
  CHECK(reason(parse_name_addr("Alice")) == "URI without a scheme");
  CHECK(reason(parse_name_addr("sip:a@b?x=y")) == "URI that needs angle brackets");
  CHECK(reason(parse_name_addr("A, B <sip:a@b>")) == "URI that needs angle brackets");
  CHECK(reason(parse_name_addr("A@B <sip:a@b>")) == "URI without a scheme");
  CHECK(reason(parse_name_addr("A@<sip:a@b>")) == "bad character in the display name");
  CHECK(reason(parse_name_addr("<sip:a@b> x")) == "bad parameter");
  CHECK(reason(parse_name_addr("<sip:a@b>;")) == "bad parameter");
  CHECK(reason(parse_name_addr("<sip:a@b>;tag=")) == "bad parameter");
  CHECK(reason(parse_name_addr("<sip:a b@c>")) == "URI with a bad character in its user part");
}

TEST_CASE("Contact: star, expires and q") {
  CHECK(parse_contact(" * ")->star);
  CHECK(reason(parse_contact("*;expires=0")) != "");
  struct Case {
    std::string_view text;
    std::optional<std::uint32_t> expires;
  };
  for (const Case& one : {Case{"<sip:a@b>", {}}, Case{"<sip:a@b>;expires=0", 0}, Case{"<sip:a@b>;Expires=60;expires=70", 60}, Case{"<sip:a@b>;expires=4294967295", UINT32_MAX},
                          Case{"<sip:a@b>;expires=4294967296", UINT32_MAX}, Case{"<sip:a@b>;expires=99999999999999999999999", UINT32_MAX},
                          Case{"<sip:a@b>;expires=soon", 3600}, Case{"<sip:a@b>;expires=-1", 3600}, Case{"<sip:a@b>;expires", 3600}, Case{"<sip:a@b>;expires=\"120\"", 120}}) {
    CAPTURE(std::string(one.text));
    CHECK(parse_contact(one.text)->expires == one.expires);
  }
  struct Q {
    std::string_view text;
    unsigned q;
  };
  for (const Q& one : {Q{"0", 0}, Q{"1", 1000}, Q{"0.", 0}, Q{"0.5", 500}, Q{"0.123", 123}, Q{"0.1239", 123}, Q{"1.000", 1000}, Q{"0.05", 50}}) {
    CHECK(parse_contact("<sip:a@b>;q=" + std::string(one.text))->q == one.q);
  }
  for (const std::string_view q : {"2", "1.1", "-1", ".5", "0,5", "0.x", "abc", "01"}) CHECK_FALSE(parse_contact("<sip:a@b>;q=" + std::string(q)));
  const auto instance = parse_contact("<sip:a@b>;+sip.instance=\"<urn:uuid:1>\";reg-id=1");
  CHECK(instance->address.parameters.get("+sip.instance") == "<urn:uuid:1>");
  CHECK(instance->address.parameters.get("reg-id") == "1");
}

TEST_CASE("CSeq and plain numbers") {
  CHECK(parse_cseq("1 REGISTER")->number == 1);
  CHECK(parse_cseq(" 2147483647 \r\n INVITE ")->method == Method::invite);
  CHECK(parse_cseq("1 NEW")->method_text == "NEW");
  for (const std::string_view text : {"", "1", "INVITE", "1INVITE", "-1 INVITE", "2147483648 INVITE", "4294967296 INVITE", "99999999999999999999 INVITE", "1 INVITE x", "1 ", "1 IN,VITE"}) {
    CAPTURE(std::string(text));
    CHECK_FALSE(parse_cseq(text));
  }
  CHECK(*parse_number(" 007 ") == 7);
  CHECK(*parse_number("4294967295") == UINT32_MAX);
  CHECK(reason(parse_number("4294967296")) == "number too large");
  CHECK(reason(parse_number("")) == "no number");
  for (const std::string_view text : {"-1", "+1", "1 2", "0x1", "1."}) CHECK(reason(parse_number(text)) == "not a number");
}

TEST_CASE("credentials: quoted and bare values, any order, nothing given twice") {
  const auto auth = parse_auth("Digest username=\"a,\\\"b\", realm = \"R\",nonce=\"n\",\r\n uri=\"sip:x;y=z\", response=\"ab\",algorithm=MD5, cnonce=\"c\",opaque=\"\",qop=auth,nc=00000001, other=\"x\"");
  REQUIRE(auth);
  CHECK(auth->scheme == "Digest");
  CHECK(auth->username == "a,\\\"b");
  CHECK(auth->realm == "R");
  CHECK(auth->uri == "sip:x;y=z");
  CHECK(auth->algorithm == "MD5");
  CHECK(auth->opaque.empty());
  CHECK(auth->qop == "auth");
  CHECK(auth->nc == "00000001");
  CHECK(parse_auth("digest uri=sip:a@b,stale=TRUE")->uri == "sip:a@b");
  CHECK(reason(parse_auth("digest uri=sip:a@b;x=y")) == "bad parameter");  // where a bare value may hold a semicolon nobody agrees
  CHECK(parse_auth("Digest , realm=\"x\",,nonce=\"y\",")->nonce == "y");
  CHECK(parse_auth("Digest")->realm.empty());
  CHECK(parse_auth("Basic dXNlcjpwYXNz")->scheme == "Basic");
  CHECK(reason(parse_auth("")) == "no scheme");
  for (const std::string_view text : {"Digest realm", "Digest realm=", "Digest realm=\"x", "Digest =\"x\"", "Digest realm=\"x\" nonce=\"y\"", "Digest realm=\"x\"y"}) {
    CAPTURE(std::string(text));
    CHECK(reason(parse_auth(text)) == "bad parameter");
  }
  CHECK(reason(parse_auth("Digest realm=\"x\", Realm=\"y\"")) == "parameter given twice");
  CHECK(reason(parse_auth("Digest opaque=\"\", opaque=\"\"")) == "parameter given twice");
}

TEST_CASE("a quoted string ends at its quote, however far away and whatever is escaped before") {
  for (std::size_t length = 0; length < 40; ++length) {
    const std::string before(length, 'a');
    const std::string text = "Digest realm=\"" + before + "\\\"" + before + "\", nonce=\"" + before + "\"";
    const auto auth = parse_auth(text);
    REQUIRE(auth);
    CHECK(auth->realm == before + "\\\"" + before);
    CHECK(auth->nonce == before);
    CHECK_FALSE(parse_auth("Digest realm=\"" + before + "\\\""));
  }
}

TEST_CASE("media types") {
  const auto type = parse_media_type("Application / SDP ; charset=utf-8");
  REQUIRE(type);
  CHECK(type->is("application", "sdp"));
  CHECK(type->parameters.get("charset") == "utf-8");
  for (const std::string_view text : {"", "application", "application/", "/sdp", "application/sdp;", "application/sdp x"}) CHECK_FALSE(parse_media_type(text));
}

TEST_CASE("lists split at commas outside quotes and brackets") {
  std::vector<std::string_view> out;
  CHECK(split_list("\"a,b\" <sip:x,y@h>;p=\"1,2\" , <sip:z> ,, last", out));
  CHECK(out == std::vector<std::string_view>{"\"a,b\" <sip:x,y@h>;p=\"1,2\"", "<sip:z>", "last"});
  out.clear();
  CHECK(split_list("  ", out));
  CHECK(split_list(",\r\n ,", out));
  CHECK(out.empty());
  CHECK_FALSE(split_list("a, \"b", out));
  CHECK_FALSE(split_list("<c, d", out));
  CHECK_FALSE(split_list("\"e\\", out));
  CHECK(out == std::vector<std::string_view>{"a"});
}

TEST_CASE("parameters are found without case, the first of a name") {
  const Parameters parameters{";a=1 ; B = \"x;y\\\"\";c;A=2"};
  CHECK(parameters.get("A") == "1");
  CHECK(parameters.get("b") == "x;y\\\"");
  CHECK(parameters.get("c") == "");
  CHECK_FALSE(parameters.get("d"));
  CHECK_FALSE(Parameters{}.has("a"));
}

TEST_CASE("scanning many characters at a step stops where scanning each of them does") {
  const unsigned seed = jackfield::test::seed();
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> any(0, 255), rarely(0, 40), length(0, 70);
  constexpr std::string_view kUsual = "abcXYZ-019";
  for (int round = 0; round < 20000; ++round) {
    std::string text(static_cast<std::size_t>(length(random)), '-');
    for (char& c : text) c = rarely(random) == 0 ? static_cast<char>(any(random)) : kUsual[static_cast<std::size_t>(any(random)) % kUsual.size()];
    CAPTURE(text);
    text::Cursor value(text), token(text), plain_value(text), plain_token(text);
    CHECK(value.take_value() == plain_value.take(text::kValue));
    CHECK(token.take_token() == plain_token.take(text::kToken));
  }
}
