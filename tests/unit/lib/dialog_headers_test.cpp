#include "sip/dialog_headers.h"

#include <doctest/doctest.h>

using namespace jackfield::sip;

TEST_CASE("RAck names a response, the request it answered, and its method") {
  const auto rack = parse_rack("  776656 1 INVITE ");
  REQUIRE(rack);
  CHECK(rack->rseq == 776656);
  CHECK(rack->cseq == 1);
  CHECK(rack->method == Method::invite);
  CHECK(parse_rack("4294967295\r\n 0\tFOO")->method == Method::other);
  for (const std::string_view bad : {"", "1", "1 2", "1 2 ", "0 1 INVITE", "1 2INVITE", "1 x INVITE", "-1 1 INVITE", "4294967296 1 INVITE", "1 2 INVITE x",
                                     "1 2 INVITE;x"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_rack(bad));
  }
}

TEST_CASE("Session-Expires has seconds and may say who refreshes") {
  const auto plain = parse_session_expires("1800");
  REQUIRE(plain);
  CHECK(plain->seconds == 1800);
  CHECK(plain->refresher == Refresher::unsaid);
  CHECK(parse_session_expires(" 90 ; x=1 ; Refresher = UAS")->refresher == Refresher::uas);
  CHECK(parse_session_expires("4000;refresher=uac")->refresher == Refresher::uac);
  for (const std::string_view bad : {"", ";refresher=uac", "x", "90 90", "90;refresher", "90;refresher=me", "90;refresher=uac;refresher=uas", "90;",
                                     "99999999999", "1.5"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_session_expires(bad));
  }
}

TEST_CASE("Reason has a protocol, and most often a cause and a text") {
  const auto reason = parse_reason("Q.850 ;cause=16 ;text=\"Normal \\\"call\\\" clearing\"");
  REQUIRE(reason);
  CHECK(reason->protocol == "Q.850");
  CHECK(reason->cause == 16);
  CHECK(reason->text == "Normal \\\"call\\\" clearing");
  CHECK_FALSE(parse_reason("SIP")->cause);
  CHECK_FALSE(parse_reason("SIP;cause=x")->cause);
  CHECK(parse_reason("SIP;text=Busy;cause=486;cause=1")->cause == 486);
  for (const std::string_view bad : {"", ";cause=1", "SIP cause=1", "SIP;cause=\"1", "SIP;"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_reason(bad));
  }
}

TEST_CASE("A number may be followed by parameters or a comment") {
  CHECK(parse_leading_number("90") == 90u);
  CHECK(parse_leading_number(" 120;x=y") == 120u);
  CHECK(parse_leading_number("5 (in a meeting);duration=3600") == 5u);
  for (const std::string_view bad : {"", "x", "-1", "5x", ";5", "4294967296"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_leading_number(bad));
  }
}
