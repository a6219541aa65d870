#include "call/dtmf_info.h"

#include <doctest/doctest.h>

namespace jackfield::sip::call {
namespace {

TEST_CASE("P-16 Digits of application/dtmf-relay and application/dtmf") {
  const auto relay = read_digit("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n");
  REQUIRE(relay);
  CHECK(relay->digit == '5');
  CHECK(relay->duration == 160u);
  CHECK(read_digit("Application/DTMF-Relay;x=y", "duration = 90\nsignal = * ")->digit == '*');
  CHECK(read_digit("application/dtmf-relay", "Signal=11\r\n")->digit == '#');
  CHECK(read_digit("application/dtmf-relay", "Signal=16\r\n")->digit == 'F');
  CHECK(read_digit("application/dtmf-relay", "Signal=d\r\nDuration=99999999\r\n")->digit == 'D');
  CHECK_FALSE(read_digit("application/dtmf-relay", "Signal=d\r\nDuration=99999999\r\n")->duration);
  CHECK(read_digit("application/dtmf", "7")->digit == '7');
  CHECK(read_digit("application/dtmf", " 10\r\n")->digit == '*');
}

TEST_CASE("P-16 What is no digit is none") {
  CHECK_FALSE(read_digit("application/dtmf-relay", ""));
  CHECK_FALSE(read_digit("application/dtmf-relay", "Signal=\r\n"));
  CHECK_FALSE(read_digit("application/dtmf-relay", "Signal=55\r\n"));
  CHECK_FALSE(read_digit("application/dtmf-relay", "Signal 5\r\n"));
  CHECK_FALSE(read_digit("application/dtmf", "x"));
  CHECK_FALSE(read_digit("text/plain", "5"));
  CHECK_FALSE(read_digit("", "Signal=5"));
}

TEST_CASE("P-16 What we write we read") {
  for (const char digit : std::string_view("0123456789*#ABCDF")) {
    const auto again = read_digit(kDtmfRelay, write_digit({digit, 70}));
    REQUIRE(again);
    CHECK(again->digit == digit);
    CHECK(again->duration == 70u);
  }
  CHECK(write_digit({'5'}) == "Signal=5\r\nDuration=160\r\n");
}

}  // namespace
}  // namespace jackfield::sip::call
