#include "sip/writer.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "support/rfc4475/messages.h"
#include "support/seed.h"

using namespace jackfield::sip;

namespace {

std::string request(std::string_view via, std::string_view to = "<sip:b@example.com>") {
  return "INVITE sip:b@example.com SIP/2.0\r\nv: " + std::string(via) + "\r\nVia: SIP/2.0/UDP second;branch=z9hG4bK2\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: " + std::string(to) +
         "\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nTimestamp: 54\r\nRecord-Route: <sip:p;lr>\r\n\r\n";
}

std::string respond(std::string_view bytes, int code, std::string_view tag = "T", std::string_view host = "192.0.2.9", std::uint16_t port = 4711) {
  Message message;
  REQUIRE(message.parse(bytes));
  std::string out;
  start_response(out, message, code, {}, tag, host, port).end();
  return out;
}

std::string top_via(std::string_view via, std::string_view host = "192.0.2.9") {
  const std::string out = respond(request(via), 180, "T", host);
  const std::size_t at = out.find("\r\n") + 2;
  return out.substr(at, out.find("\r\n", at) - at);
}

}  // namespace

TEST_CASE("a message is written as told") {
  std::string out;
  Writer writer(out);
  writer.request("INVITE", "sip:b@example.com").header(HeaderId::via, "SIP/2.0/UDP h").header("X-Y", "z").header(HeaderId::max_forwards, 70ul).cseq(7, "INVITE");
  writer.body("application/sdp", "v=0\r\n");
  CHECK(out == "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nX-Y: z\r\nMax-Forwards: 70\r\nCSeq: 7 INVITE\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n");
  out.clear();
  Writer(out).status(404).end();
  CHECK(out == "SIP/2.0 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  out.clear();
  Writer(out).status(299).end();
  CHECK(out.substr(0, 19) == "SIP/2.0 299 Unknown");
  CHECK(reason_phrase(423) == "Interval Too Brief");
  CHECK(reason_phrase(99) == "Unknown");
}

TEST_CASE("nothing that is written adds a line") {
  std::string out;
  Writer writer(out);
  writer.request("INV\r\nITE", "sip:a\r\n@b c").header("X\r\nEvil: 1", "a\r\nEvil: 2\tb").header(HeaderId::subject, std::string_view("\0x\x7f", 3)).cseq(1, "IN VITE\n");
  writer.end();
  CHECK(out == "INVITE sip:a@bc SIP/2.0\r\nXEvil:1: aEvil: 2\tb\r\nSubject: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n");
  out.clear();
  Writer(out).status(400, "Bad\r\nEvil: 3").end();
  CHECK(out.substr(0, 25) == "SIP/2.0 400 BadEvil: 3\r\nC");
}

TEST_CASE("a control character is left out wherever it stands in a value, a tab is not") {
  const std::string clean = "0123456789abcdefghijklmnopqrstuvwxyz\t\x80\xff";
  for (std::size_t at = 0; at <= clean.size(); ++at) {
    for (const char control : {'\r', '\n', '\0', '\x1f', '\x7f'}) {
      std::string value = clean;
      value.insert(at, 2, control);
      std::string out;
      Writer(out).header(HeaderId::subject, value);
      CHECK(out == "Subject: " + clean + "\r\n");
    }
  }
}

TEST_CASE("a response repeats what RFC 3261 §8.2.6 says") {
  CHECK(respond(request("SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1"), 180) ==
        "SIP/2.0 180 Ringing\r\nv: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP second;branch=z9hG4bK2\r\nFrom: <sip:a@example.com>;tag=1\r\n"
        "To: <sip:b@example.com>;tag=T\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n");
  CHECK(respond(request("SIP/2.0/UDP 192.0.2.9", "<sip:b@example.com>;tag=was"), 200).find("To: <sip:b@example.com>;tag=was\r\n") != std::string::npos);
  CHECK(respond(request("SIP/2.0/UDP 192.0.2.9"), 200, "").find("To: <sip:b@example.com>\r\n") != std::string::npos);
  CHECK(respond(request("SIP/2.0/UDP 192.0.2.9"), 100).find("Timestamp: 54\r\n") != std::string::npos);
  CHECK(respond(request("SIP/2.0/UDP 192.0.2.9"), 200).find("Timestamp") == std::string::npos);
}

TEST_CASE("the top Via tells the source (RFC 3261 §18.2.1, RFC 3581 §4)") {
  CHECK(top_via("SIP/2.0/UDP 192.0.2.9") == "v: SIP/2.0/UDP 192.0.2.9");
  CHECK(top_via("SIP/2.0/UDP 10.0.0.1:5060;branch=x") == "v: SIP/2.0/UDP 10.0.0.1:5060;branch=x;received=192.0.2.9");
  CHECK(top_via("SIP/2.0/UDP phone.local") == "v: SIP/2.0/UDP phone.local;received=192.0.2.9");
  CHECK(top_via("SIP/2.0/UDP 192.0.2.9;rport;branch=x") == "v: SIP/2.0/UDP 192.0.2.9;rport=4711;branch=x;received=192.0.2.9");
  CHECK(top_via("SIP/2.0/UDP 10.0.0.1;branch=x ; RPORT = 9 ;received=6.6.6.6;x=\"y\"") == "v: SIP/2.0/UDP 10.0.0.1;branch=x;rport=4711;x=\"y\";received=192.0.2.9");
  CHECK(top_via("SIP/2.0/UDP [2001:db8:0::1];rport", "[2001:db8::1]") == "v: SIP/2.0/UDP [2001:db8:0::1];rport=4711;received=2001:db8::1");
  CHECK(top_via("SIP/2.0/UDP [2001:db8:0::1]", "2001:db8::1") == "v: SIP/2.0/UDP [2001:db8:0::1]");
  CHECK(top_via("SIP/2.0/UDP [2001:db8:0::1]", "2001:db8::2") == "v: SIP/2.0/UDP [2001:db8:0::1];received=2001:db8::2");
  CHECK(top_via("SIP/2.0/UDP 10.0.0.1;rport, SIP/2.0/UDP other;rport") == "v: SIP/2.0/UDP 10.0.0.1;rport=4711;received=192.0.2.9, SIP/2.0/UDP other;rport");
  CHECK(top_via("SIP/2.0/UDP 10.0.0.1;rport", "") == "v: SIP/2.0/UDP 10.0.0.1;rport");
  CHECK(top_via("SIP/2.0 broken") == "v: SIP/2.0 broken");
}

TEST_CASE("parsed, printed and parsed again a message is the same; so is one written from copies of its lines") {
  using namespace jackfield::test::rfc4475;
  const unsigned seed = jackfield::test::seed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  Message first, second;
  for (int round = 0; round < 2000; ++round) {
    const Torture& one = kMessages[random() % std::size(kMessages)];
    std::string bytes = wire(one.text);
    // Half of them with bytes changed: whatever still parses must survive the way.
    for (unsigned changes = random() % 2 * (random() % 4); changes > 0; --changes) bytes[random() % bytes.size()] = " \t;,\"<>@:=aZ0\\%\x80"[random() % 16];
    CAPTURE(bytes);
    if (!first.parse(bytes)) continue;
    std::string printed;
    Writer writer(printed);
    if (first.is_request()) {
      writer.request(first.method_text(), first.request_uri_text());
    } else {
      writer.status(first.status(), first.reason_phrase());
    }
    bool length = false;
    for (const HeaderLine& line : first.headers()) {
      writer.copy(line);
      length = length || line.id == HeaderId::content_length;
    }
    if (!length) writer.header(HeaderId::content_length, first.body().size());
    printed += "\r\n";
    printed += first.body();
    REQUIRE(second.parse(printed));
    CHECK(second.method_text() == first.method_text());
    CHECK(second.status() == first.status());
    CHECK(second.body() == first.body());
    REQUIRE(second.headers().size() == first.headers().size() + (length ? 0 : 1));
    for (std::size_t i = 0; i < first.headers().size(); ++i) {
      CHECK(second.headers()[i].name == first.headers()[i].name);
      CHECK(second.headers()[i].value == first.headers()[i].value);
    }
    if (first.check_mandatory()) CHECK(second.check_mandatory());  // a blank in a Request-URI is not written, so the reverse does not hold
    CHECK(second.contacts().has_value() == first.contacts().has_value());
    // A whole message cut from a stream is the message.
    if (length) {
      StreamFramer framer(StreamFramer::Options{});
      framer.feed(first.bytes());
      const auto cut = framer.next();
      CHECK(cut.what == StreamFramer::What::message);
      CHECK(cut.bytes == first.bytes());
    }
  }
}
