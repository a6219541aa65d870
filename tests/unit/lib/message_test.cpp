#include "sip/message.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <new>
#include <string>

using namespace jackfield::sip;

namespace {

std::size_t allocations = 0;

constexpr std::string_view kRegister =
    "REGISTER sip:example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport\r\n"
    "Max-Forwards: 70\r\n"
    "From: \"Alice\" <sip:alice@example.com>;tag=abc\r\n"
    "To: <sip:alice@example.com>\r\n"
    "Call-ID: 1@192.0.2.1\r\n"
    "CSeq: 1 REGISTER\r\n"
    "Contact: <sip:alice@192.0.2.1:5060>;expires=60, <sip:alice@192.0.2.2>\r\n"
    "Supported: path,\r\n outbound\r\n"
    "k: gruu\r\n"
    "X-Custom: one\r\n"
    "x-custom: two\r\n"
    "Expires: 120\r\n"
    "Content-Length: 0\r\n\r\n";

std::string with(std::string_view from, std::string_view to) {
  std::string text(kRegister);
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string parse_error(std::string_view bytes, const Limits& limits = {}) {
  Message message;
  const auto parsed = message.parse(bytes, limits);
  return parsed ? std::string() : std::string(parsed.error().reason);
}

std::string mandatory_error(std::string_view bytes) {
  Message message;
  REQUIRE(message.parse(bytes));
  const auto checked = message.check_mandatory();
  return checked ? std::string() : std::string(checked.error().reason);
}

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

TEST_CASE("a request's parts and headers are found") {
  Message m;
  REQUIRE(m.parse(kRegister));
  CHECK(m.check_mandatory());
  CHECK(m.is_request());
  CHECK(m.method() == Method::reg);
  CHECK(m.request_uri()->host == "example.com");
  CHECK(m.headers().size() == 13);
  CHECK(m.from()->display == "Alice");
  CHECK(m.call_id() == "1@192.0.2.1");
  CHECK(m.expires() == 120u);
  CHECK(m.contacts()->size() == 2);
  CHECK(m.contacts()->at(0).expires == 60u);
  CHECK_FALSE(m.contacts()->at(1).expires);
  CHECK(m.list(HeaderId::supported) == std::vector<std::string_view>{"path", "outbound", "gruu"});
  CHECK(m.lists(HeaderId::supported, "OUTBOUND"));
  CHECK(m.lists(HeaderId::supported, "gruu"));
  CHECK_FALSE(m.lists(HeaderId::supported, "out"));
  CHECK_FALSE(m.lists(HeaderId::require, "path"));
  CHECK(m.header("X-CUSTOM")->value == "one");
  CHECK(m.header("call-id")->id == HeaderId::call_id);
  CHECK(m.header("I") == m.header(HeaderId::call_id));
  CHECK(m.header("Nope") == nullptr);
  CHECK(m.value(HeaderId::route).empty());
  CHECK(m.bytes() == kRegister);
}

TEST_CASE("a response's method is its CSeq's") {
  Message m;
  REQUIRE(m.parse("SIP/2.0 180 Ringing\r\nCSeq: 7 INVITE\r\n\r\n"));
  CHECK_FALSE(m.is_request());
  CHECK(m.status() == 180);
  CHECK(m.reason_phrase() == "Ringing");
  CHECK(m.method() == Method::invite);
  REQUIRE(m.parse("sip/2.0 200\r\n\r\n"));
  CHECK(m.status() == 200);
  CHECK(m.method() == Method::other);
  CHECK(std::string(m.check_mandatory().error().reason) == "Missing Via header");
}

TEST_CASE("start lines that are none are refused") {
  const std::string rest(kRegister.substr(kRegister.find("\r\n")));
  struct Case {
    std::string_view line, reason;
    int status = 400;
  };
  for (const Case& one : {
           Case{"", "Start line without an end"},
           Case{"REGISTER", "Bad method in the request line"},
           Case{" REGISTER sip:a SIP/2.0", "Bad method in the request line"},
           Case{"REG(ISTER sip:a SIP/2.0", "Bad method in the request line"},
           Case{"REGISTER\tsip:a SIP/2.0", "Bad method in the request line"},
           Case{"REGISTER sip:a", "Request line without a version"},
           Case{"REGISTER  sip:a SIP/2.0", "Request line with more than one space between its parts"},
           Case{"REGISTER sip:a  SIP/2.0", "Bad request line"},
           Case{"REGISTER sip:a SIP/2.0 ", "Bad request line"},
           Case{"REGISTER sip:a HTTP/1.1", "Bad request line"},
           Case{"REGISTER sip:a SIP/2.", "Bad request line"},
           Case{"REGISTER sip:a SIP/2.x", "Bad request line"},
           Case{"REGISTER sip:a SIP/3.0", "Version Not Supported", 505},
           Case{"SIP/3.0 200 OK", "Version Not Supported", 505},
           Case{"SIP/2.0", "Bad status code"},
           Case{"SIP/2.0 20 OK", "Bad status code"},
           Case{"SIP/2.0 2000 OK", "Bad status code"},
           Case{"SIP/2.0 099 OK", "Bad status code"},
           Case{"SIP/2.0 700 OK", "Bad status code"},
           Case{"SIP/2.0  200 OK", "Bad status code"},
           Case{"SIP/2.0 200OK", "Bad status code"},
       }) {
    CAPTURE(std::string(one.line));
    Message m;
    const auto parsed = m.parse(one.line.empty() ? std::string() : std::string(one.line) + rest);
    REQUIRE_FALSE(parsed);
    CHECK(std::string(parsed.error().reason) == std::string(one.reason));
    CHECK(parsed.error().status == one.status);
  }
  CHECK(parse_error("OPTIONS sip:a SIP/2.0") == "Start line without an end");
  CHECK(parse_error("OPTIONS sip:a SIP/2.0\n\n") == "Start line without an end");
}

TEST_CASE("header lines that are none are refused, wherever they stand") {
  CHECK(parse_error(with("Max-Forwards: 70", "Max-Forwards 70")) == "Header line without a colon");
  CHECK(parse_error(with("Max-Forwards: 70", ": 70")) == "Header line without a name");
  CHECK(parse_error(with("Max-Forwards: 70", "Max Forwards: 70")) == "Header line without a colon");
  CHECK(parse_error(with("Max-Forwards: 70\r\n", "Max-Forwards: 70\n")) == "Line feed without carriage return");
  CHECK(parse_error(with("Max-Forwards: 70\r\n", "Max-Forwards: 70\r")) == "Carriage return without line feed");
  CHECK(parse_error(with("example.com SIP/2.0\r\n", "example.com SIP/2.0\r\n folded: x\r\n")) == "Header line without a name");
  CHECK(parse_error(kRegister.substr(0, kRegister.size() - 2)) == "Headers without an empty line at their end");
  CHECK(parse_error(kRegister.substr(0, kRegister.size() - 4)) == "Headers without an empty line at their end");
  CHECK(parse_error(kRegister.substr(0, kRegister.find("70") + 1)) == "Headers without an empty line at their end");
  // The lines after a bad one are still read: a 400 must carry them.
  const std::string text = with("Max-Forwards: 70", "Max-Forwards 70");
  Message m;
  const auto parsed = m.parse(text);
  REQUIRE_FALSE(parsed);
  CHECK(text.substr(parsed.error().offset, 12) == "Max-Forwards");
  CHECK(m.call_id() == "1@192.0.2.1");
}

TEST_CASE("a NUL in a value is data, in a name an error") {
  const std::string value = with("X-Custom: one", std::string_view("X-Custom: o\0e", 13));
  Message m;
  REQUIRE(m.parse(value));
  CHECK(m.header("X-Custom")->value == std::string_view("o\0e", 3));
  CHECK(parse_error(with("X-Custom: one", std::string_view("X-Cus\0om: one", 13))) == "Header line without a colon");
  CHECK(mandatory_error(with("From: \"Alice\"", std::string_view("From: Al\0ce", 11))) == "Bad From header: URI without a scheme");
}

TEST_CASE("Content-Length on a datagram: missing, short, long, none") {
  const std::string body = "hello";
  Message m;
  const std::string missing = with("Content-Length: 0\r\n", "") + body;
  REQUIRE(m.parse(missing));
  CHECK(m.body() == "hello");
  const std::string shorter = with("Content-Length: 0", "l: 3") + body;
  REQUIRE(m.parse(shorter));
  CHECK(m.body() == "hel");
  CHECK(m.bytes().substr(m.bytes().size() - 4) == "\nhel");
  CHECK(parse_error(with("Content-Length: 0", "Content-Length: 6") + body) == "Content-Length larger than the message");
  CHECK(parse_error(with("Content-Length: 0", "Content-Length: -1")) == "Bad Content-Length header");
  CHECK(parse_error(with("Content-Length: 0", "Content-Length: 4294967296")) == "Bad Content-Length header");
  CHECK(parse_error(with("Content-Length: 0", "Content-Length:")) == "Bad Content-Length header");
  CHECK(parse_error(with("Content-Length: 0", "Content-Length: 0\r\nl: 0")) == "Content-Length header given twice");
  const std::string after_line_ends = "\r\n\r\n" + shorter;
  REQUIRE(m.parse(after_line_ends));
  CHECK(m.body() == "hel");
}

TEST_CASE("limits are kept") {
  Limits limits;
  limits.max_headers = 13;
  CHECK(parse_error(kRegister, limits).empty());
  limits.max_headers = 12;
  CHECK(parse_error(kRegister, limits) == "Too many header lines");
  limits = {};
  limits.max_header_bytes = kRegister.size();
  CHECK(parse_error(kRegister, limits).empty());
  CHECK(parse_error("\r\n\r\n" + std::string(kRegister), limits).empty());
  limits.max_header_bytes = kRegister.size() - 1;
  CHECK(parse_error(kRegister, limits) == "Headers too large");
  Message m;
  CHECK(m.parse(kRegister, limits).error().status == 513);
}

TEST_CASE("what is mandatory and missing is named") {
  for (const std::string_view name : {"Via", "From", "To", "Call-ID", "CSeq"}) {
    const std::size_t at = kRegister.find("\r\n" + std::string(name) + ":") + 2;
    std::string text(kRegister);
    text.erase(at, text.find("\r\n", at) + 2 - at);
    CHECK(mandatory_error(text) == "Missing " + std::string(name) + " header");
  }
  std::string text = with("Max-Forwards: 70\r\n", "");
  CHECK(mandatory_error(text).empty());
}

TEST_CASE("what is mandatory and malformed is named with its fault") {
  CHECK(mandatory_error(with("CSeq: 1 REGISTER", "CSeq: 1 INVITE")) == "Bad CSeq header: its method is not the request's");
  CHECK(mandatory_error(with("CSeq: 1 REGISTER", "CSeq: one REGISTER")) == "Bad CSeq header: bad number");
  CHECK(mandatory_error(with("Max-Forwards: 70", "Max-Forwards: 256")) == "Bad Max-Forwards header: not a number up to 255");
  CHECK(mandatory_error(with("Max-Forwards: 70", "Max-Forwards: x")) == "Bad Max-Forwards header: not a number up to 255");
  CHECK(mandatory_error(with("Call-ID: 1@192.0.2.1", "Call-ID:")) == "Bad Call-ID header: empty");
  CHECK(mandatory_error(with("Call-ID: 1@192.0.2.1", "Call-ID: 1 2")) == "Bad Call-ID header: bad character");
  CHECK(mandatory_error(with("Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport", "Via:")) == "Bad Via header: empty");
  CHECK(mandatory_error(with("Via: SIP/2.0/UDP", "Via: SIP/2.0")) == "Bad Via header: bad protocol");
  CHECK(mandatory_error(with("<sip:alice@example.com>;tag=abc", "<sip:alice@example.com;tag=abc")) == "Bad From header: unclosed angle bracket");
  CHECK(mandatory_error(with("To: <sip:alice@example.com>", "To: alice@example.com")) == "Bad To header: URI without a scheme");
  CHECK(mandatory_error(with("REGISTER sip:example.com", "REGISTER sip:exa%mple.com")) == "Bad Request-URI: URI with a broken escape");
  CHECK(mandatory_error(with("REGISTER sip:example.com", "REGISTER sip:example.com?a=b")) == "Bad Request-URI: it has headers");
  for (std::size_t i = 1; i < kHeaderIds; ++i) {
    const HeaderInfo& info = header_info(static_cast<HeaderId>(i));
    if (!info.once || info.id == HeaderId::content_length) continue;
    Message m;
    const std::string twice = with("X-Custom: one\r\nx-custom: two\r\n", std::string(info.name) + ": 1\r\n" + std::string(info.name) + ": 1\r\n");
    REQUIRE(m.parse(twice));
    CHECK(std::string(m.check_mandatory().error().reason) == std::string(info.name) + " header given twice");
  }
}

TEST_CASE("an error says where") {
  Message m;
  const std::string text = with("\"Alice\" <sip:alice@example.com>", "\"Alice\" <sip:al ice@example.com>");
  REQUIRE(m.parse(text));
  const auto checked = m.check_mandatory();
  REQUIRE_FALSE(checked);
  CHECK(text.substr(checked.error().offset, 4) == " ice");
}

TEST_CASE("contacts of all lines come in order; one that is bad spoils them") {
  Message m;
  const std::string more = with("X-Custom: one", "m: *");
  REQUIRE(m.parse(more));
  REQUIRE(m.contacts()->size() == 3);
  CHECK(m.contacts()->back().star);
  const std::string bad = with("X-Custom: one", "m: <sip:a@b>, <sip:c");
  REQUIRE(m.parse(bad));
  CHECK(std::string(m.contacts().error().reason) == "Bad Contact header: unclosed quote or bracket");
  const std::string none = with("Contact: <sip:alice@192.0.2.1:5060>;expires=60, <sip:alice@192.0.2.2>\r\n", "");
  REQUIRE(m.parse(none));
  REQUIRE(m.contacts());
  CHECK(m.contacts()->empty());
}

TEST_CASE("of several credentials those that are Digest are given") {
  Message m;
  const std::string text = with("X-Custom: one", "Authorization: Basic abc\r\nAuthorization: Digest realm=\"a\"\r\nAuthorization: Digest realm\r\nAuthorization: digest realm=\"b\"");
  REQUIRE(m.parse(text));
  CHECK(m.check_mandatory());
  const auto digests = m.digests(HeaderId::authorization);
  REQUIRE(digests.size() == 2);
  CHECK(digests[0].realm == "a");
  CHECK(digests[1].realm == "b");
}

TEST_CASE("a clone owns its bytes and answers the same") {
  Message copy;
  {
    std::string bytes = "\r\n" + with("Content-Length: 0", "Content-Length: 3") + "abcdef";
    Message m;
    REQUIRE(m.parse(bytes));
    copy = m.clone();
    std::fill(bytes.begin(), bytes.end(), '#');
  }
  CHECK(copy.check_mandatory());
  CHECK(copy.method() == Method::reg);
  CHECK(copy.from()->tag == "abc");
  CHECK(copy.body() == "abc");
  CHECK(copy.lists(HeaderId::supported, "gruu"));
  Message moved = std::move(copy);
  CHECK(moved.to()->uri.user == "alice");
  CHECK(moved.clone().clone().call_id() == "1@192.0.2.1");
  CHECK(Message().clone().bytes().empty());
  copy = Message();
  REQUIRE(copy.parse(kRegister));
  CHECK(copy.cseq()->number == 1);
}

TEST_CASE("a message object that is used again allocates nothing") {
  Message m;
  const auto use = [&m] {
    bool good = m.parse(kRegister).has_value() && m.check_mandatory().has_value();
    good = good && m.contacts()->size() == 2 && m.lists(HeaderId::supported, "gruu") && m.expires() == 120u && m.max_forwards() == 70u;
    return good;
  };
  REQUIRE(use());
  const std::size_t before = allocations;
  const bool good = use() && use();
  const std::size_t after = allocations;
  CHECK(good);
  CHECK(after == before);
}
