#include "support/rfc4475/messages.h"

#include <doctest/doctest.h>

#include <string>

#include "sdp/sdp.h"
#include "sip/message.h"
#include "sip/writer.h"

using namespace jackfield;
using namespace jackfield::test::rfc4475;
using sip::HeaderId;

namespace {

const Torture& torture(std::string_view name) {
  for (const Torture& one : kMessages) {
    if (one.name == name) return one;
  }
  FAIL("no message " << std::string(name));
  return kMessages[0];
}

/// A message with its bytes.
struct Parsed {
  std::string bytes;
  sip::Message message;
  explicit Parsed(std::string text) : bytes(std::move(text)) { REQUIRE(message.parse(bytes)); }
  explicit Parsed(const char* name) : Parsed(wire(torture(name).text)) {}
};

}  // namespace

TEST_CASE("every RFC 4475 message gets its verdict, with its reason") {
  sip::Message message;
  for (const Torture& one : kMessages) {
    CAPTURE(std::string(one.section) + " " + std::string(one.name));
    const std::string bytes = wire(one.text);
    Verdict verdict = Verdict::accepted;
    sip::Error error{"", 0, 0};
    if (const auto parsed = message.parse(bytes); !parsed) {
      verdict = Verdict::unparsed;
      error = parsed.error();
    } else if (const auto checked = message.check_mandatory(); !checked) {
      verdict = Verdict::incomplete;
      error = checked.error();
    } else if (const auto& contacts = message.contacts(); !contacts) {
      verdict = Verdict::contacts;
      error = contacts.error();
    }
    CHECK(verdict == one.verdict);
    CHECK(error.status == one.status);
    CHECK(std::string(error.reason) == std::string(one.reason));
    CHECK(error.offset <= bytes.size());
  }
}

TEST_CASE("wsinv: blanks, folds and compact names hide nothing") {
  Parsed p("wsinv");
  const auto& m = p.message;
  CHECK(m.method() == sip::Method::invite);
  CHECK(m.to()->tag == "1918181833n");
  CHECK(m.to()->uri.user == "vivekg");
  CHECK(m.from()->display == R"(J Rosenberg \\\")");
  CHECK(m.from()->tag == "98asjd8");
  CHECK(m.max_forwards() == 68u);
  CHECK(m.cseq()->number == 9);
  CHECK(m.top_via()->transport == "UDP");
  CHECK(m.top_via()->branch == "390skdjuw");
  REQUIRE(m.list(HeaderId::via).size() == 3);
  const auto third = sip::parse_via(m.list(HeaderId::via)[2]);
  REQUIRE(third);
  CHECK(third->host == "192.168.255.111");
  CHECK(third->branch == "z9hG4bK30239");
  CHECK(m.has(HeaderId::subject));
  CHECK(m.value(HeaderId::subject).empty());
  CHECK(m.header("unknownheaderwithunusualvalue")->value == ";;,,;;,;");
  CHECK(m.header("NEWFANGLEDHEADER")->value == "newfangled value\r\n continued newfangled value");
  REQUIRE(m.contacts()->size() == 1);
  CHECK(m.contacts()->front().q == 330u);
  CHECK(m.contacts()->front().address.parameters.get("newparam") == "newvalue");
  const auto route = sip::parse_name_addr(m.list(HeaderId::route).at(0));
  REQUIRE(route);
  CHECK(route->uri.parameter("lr") == "");
  CHECK(route->uri.parameter("unknownwith") == "value");
  sdp::Session session;
  REQUIRE(session.parse(m.body()));
  CHECK(session.media().size() == 2);
}

TEST_CASE("intmeth: every character that a token, a URI and a word may hold") {
  Parsed p("intmeth");
  const auto& m = p.message;
  CHECK(m.method() == sip::Method::other);
  CHECK(m.method_text() == "!interesting-Method0123456789_*+`.%indeed'~");
  REQUIRE(m.request_uri());
  CHECK(m.request_uri()->user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*");
  CHECK(m.request_uri()->password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)");
  CHECK(m.request_uri()->host == "example.com");
  REQUIRE(m.to());
  CHECK(m.to()->display.find('\0') != std::string_view::npos);
  CHECK(m.from()->tag == "_token~1'+`*%!-.");
  CHECK(m.from()->display == "token1~` token2'+_ token3*%!.-");
}

TEST_CASE("esc01, escnull, esc02: an escape is one in URIs and nowhere else") {
  Parsed one("esc01");
  CHECK(sip::unescape(one.message.request_uri()->user) == "sips:user@example.com");
  CHECK(one.message.request_uri()->host == "example.net");
  CHECK(sip::unescape(one.message.from()->uri.user) == "I have spaces");
  Parsed two("escnull");
  REQUIRE(two.message.contacts()->size() == 2);
  const auto& contacts = *two.message.contacts();
  CHECK_FALSE(contacts[0].address.uri.equivalent(contacts[1].address.uri));
  CHECK(sip::unescape(contacts[1].address.uri.user) == std::string(2, '\0'));
  Parsed three("esc02");
  CHECK(three.message.method() == sip::Method::other);
  CHECK(three.message.to()->display == "%Z%45");
  CHECK(three.message.contacts()->size() == 2);
  CHECK(three.message.header("c%6fntact") != nullptr);
}

TEST_CASE("longreq: long values are values") {
  Parsed p(long_request());
  CHECK(p.message.check_mandatory());
  CHECK(p.message.list(HeaderId::via).size() == 34);  // however each of them is written
  CHECK(p.message.contacts()->size() == 1);
}

TEST_CASE("dblreq: what follows a datagram's message is not its body") {
  Parsed p("dblreq");
  CHECK(p.message.method() == sip::Method::reg);
  CHECK(p.message.body().empty());
  CHECK(p.message.list(HeaderId::via).size() == 1);
  CHECK(p.message.bytes().size() < p.bytes.size());
}

TEST_CASE("semiuri, transports, mpart01: user parts, transports and bodies pass as they are") {
  Parsed semi("semiuri");
  CHECK(semi.message.request_uri()->user == "user;par=u%40example.net");
  CHECK(semi.message.list(HeaderId::accept).size() == 6);
  Parsed transports("transports");
  CHECK(transports.message.list(HeaderId::via).size() == 5);
  Parsed parts("mpart01");
  CHECK(parts.message.body().find(std::string_view("\x00\xff", 2)) != std::string_view::npos);
  const auto type = sip::parse_media_type(parts.message.value(HeaderId::content_type));
  REQUIRE(type);
  CHECK(type->is("multipart", "mixed"));
  CHECK(type->parameters.get("boundary") == "7a9cbec02ceef655");
}

TEST_CASE("unreason, noreason: a reason phrase may hold UTF-8 or nothing") {
  Parsed p("unreason");
  CHECK(p.message.status() == 200);
  CHECK(p.message.reason_phrase().substr(0, 16) == "= 2**3 * 5**2 \xd0\xbd");
  CHECK(p.message.method() == sip::Method::invite);
  Parsed q("noreason");
  CHECK(q.message.status() == 100);
  CHECK(q.message.reason_phrase().empty());
}

TEST_CASE("cparam01, cparam02, regescrt: parameters belong to the header without brackets and to the URI within") {
  Parsed without("cparam01"), within("cparam02"), escaped("regescrt");
  CHECK(without.message.contacts()->front().address.parameters.has("unknownparam"));
  CHECK_FALSE(without.message.contacts()->front().address.uri.parameter("unknownparam"));
  CHECK(within.message.contacts()->front().address.uri.parameter("unknownparam") == "");
  CHECK(escaped.message.contacts()->front().address.uri.headers == "Route=%3Csip:sip.example.com%3E");
}

TEST_CASE("unkscm, novelsc, unksm2: other schemes are kept as text") {
  CHECK(Parsed("unkscm").message.request_uri()->scheme == sip::Uri::Scheme::other);
  CHECK(Parsed("novelsc").message.request_uri()->text == "soap.beep://192.0.2.103:3002");
  Parsed p("unksm2");
  CHECK(p.message.to()->uri.text == "isbn:2983792873");
  CHECK(p.message.contacts()->front().address.uri.scheme == sip::Uri::Scheme::other);
}

TEST_CASE("zeromf, scalar02, regaut01, inv2543: what the layers above decide on is there") {
  CHECK(Parsed("zeromf").message.max_forwards() == 0u);
  Parsed scalar("scalar02");
  CHECK_FALSE(scalar.message.max_forwards());
  CHECK_FALSE(scalar.message.expires());
  CHECK(scalar.message.contacts()->front().expires == UINT32_MAX);
  CHECK(Parsed("regaut01").message.digests(HeaderId::authorization).empty());
  Parsed old("inv2543");
  CHECK(old.message.from()->tag.empty());
  CHECK(old.message.top_via()->branch.empty());
  CHECK(old.message.to()->parameters.get("user") == "phone");
  CHECK(old.message.body().substr(0, 4) == "v=0\r");
}

TEST_CASE("a request that is refused can still be answered with what it holds") {
  for (const std::string_view name : {"clerr", "ncl", "lwsruri", "trws", "badvers", "mcl01"}) {
    CAPTURE(std::string(name));
    const std::string bytes = wire(torture(name).text);
    sip::Message message;
    const auto parsed = message.parse(bytes);
    REQUIRE_FALSE(parsed);
    if (name == "lwsruri" || name == "trws" || name == "badvers") CHECK(message.method_text().size() > 0);
    std::string out;
    sip::start_response(out, message, parsed.error().status, parsed.error().reason, "t", "192.0.2.9", 5060).end();
    sip::Message answer;
    REQUIRE(answer.parse(out));
    CHECK(answer.status() == parsed.error().status);
    CHECK(answer.call_id() == message.call_id());
    CHECK(answer.call_id().substr(0, name.size()) == name);
    CHECK(answer.has(HeaderId::via));
  }
}
