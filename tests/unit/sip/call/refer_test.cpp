// What REFER and Replaces say, read without a call (P-11).
#include "call/refer.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace jackfield::sip::call {
namespace {

std::string refer(std::string_view headers) {
  return fmt::format("REFER sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: c\r\n"
                     "CSeq: 2 REFER\r\nMax-Forwards: 70\r\n{}Content-Length: 0\r\n\r\n",
                     headers);
}

TEST_CASE("P-11: A Replaces names a dialog by its Call-ID and both tags") {
  const auto replaces = parse_replaces("98732@sip.example.com ;from-tag=r33th4x0r; to-tag=ff87ff ;early-only");
  REQUIRE(replaces);
  CHECK(replaces->call_id == "98732@sip.example.com");
  CHECK(replaces->from_tag == "r33th4x0r");
  CHECK(replaces->to_tag == "ff87ff");
  CHECK(replaces->early_only);
  for (const char* bad : {"", ";to-tag=1;from-tag=2", "c;to-tag=1", "c;from-tag=1", "c;to-tag=1;from-tag=2;to-tag=3", "c;to-tag=;from-tag=2", "c", ";", "c;;=;to-tag"})
    CHECK_FALSE(parse_replaces(bad));
}

TEST_CASE("P-11: A REFER names whom to call, or which dialog to take the place of") {
  const auto read = [](std::string_view headers) {
    static std::string text;
    static Message message;
    text = refer(headers);
    REQUIRE(message.parse(text));
    return read_refer(message);
  };
  const auto blind = read("Refer-To: \"Carol\" <sip:10%331@192.0.2.1;transport=udp>\r\n");
  REQUIRE(blind);
  CHECK(blind->called == "1031");
  CHECK(blind->uri == "sip:10%331@192.0.2.1;transport=udp");
  CHECK(blind->host == "192.0.2.1");
  CHECK_FALSE(blind->replaces);

  const auto attended = read("r: <sip:103@192.0.2.1?Subject=x&Replaces=call-1%40h%3Bto-tag%3Dours%3Bfrom-tag%3Dtheirs>\r\n");
  REQUIRE(attended);
  REQUIRE(attended->replaces);
  CHECK(attended->replaces->call_id == "call-1@h");
  CHECK(attended->replaces->to_tag == "ours");
  CHECK(attended->uri == "sip:103@192.0.2.1");

  CHECK(read("").error().code == 400);
  CHECK(read("Refer-To: <http://h/>\r\n").error().code == 416);
  CHECK(read("Refer-To: <sip:1@h;method=BYE>\r\n").error().code == 400);
  CHECK(read("Refer-To: <sip:1@h?Replaces=c%3Bto-tag%3D1>\r\n").error().code == 400);
  CHECK(read("Refer-To: <sip:h>\r\n").error().code == 400);
}

}  // namespace
}  // namespace jackfield::sip::call
