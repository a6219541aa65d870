// RFC 3262 §3 with the clock in hand.
#include "call/reliable_provisional.h"

#include <doctest/doctest.h>

namespace jackfield::sip::call {
namespace {

using namespace std::chrono_literals;
using Due = ReliableProvisional::Due;

TEST_CASE("P-13 A reliable response is repeated from T1 on, with doubling intervals, until 64*T1 have passed") {
  ReliableProvisional responses(500ms);
  CHECK(responses.add({"tag", 1, 183, "sdp"}));
  Duration total{0};
  for (const auto expected : {500ms, 1000ms, 2000ms, 4000ms, 8000ms, 16000ms, 500ms}) {
    CHECK(responses.wait() == expected);
    total += responses.wait();
    CHECK(responses.timer() == (total < 32s ? Due::repeat : Due::give_up));
  }
  CHECK(total == 32s);
}

TEST_CASE("P-13 A second reliable response waits for the PRACK of the first, and then has its own time") {
  ReliableProvisional responses(500ms);
  CHECK(responses.add({"tag", 7, 180, ""}));
  CHECK_FALSE(responses.add({"tag", 8, 183, "sdp"}));
  CHECK_FALSE(responses.holds_answer());
  responses.timer();
  CHECK(responses.wait() == 1s);
  const auto first = responses.acknowledge("tag", {7, 1, Method::invite}, 1);
  REQUIRE(first);
  CHECK(first->code == 180);
  CHECK(responses.current().rseq == 8);
  CHECK(responses.wait() == 500ms);
  CHECK(responses.holds_answer());
}

TEST_CASE("P-13 A PRACK fits by tag, number, CSeq and method") {
  ReliableProvisional responses(500ms);
  responses.add({"tag", 7, 183, "sdp"});
  CHECK_FALSE(responses.acknowledge("other", {7, 1, Method::invite}, 1));
  CHECK_FALSE(responses.acknowledge("tag", {8, 1, Method::invite}, 1));
  CHECK_FALSE(responses.acknowledge("tag", {7, 2, Method::invite}, 1));
  CHECK_FALSE(responses.acknowledge("tag", {7, 1, Method::update}, 1));
  CHECK(responses.acknowledge("tag", {7, 1, Method::invite}, 1));
  CHECK_FALSE(responses.acknowledge("tag", {7, 1, Method::invite}, 1));
  CHECK(responses.empty());
}

TEST_CASE("P-13 No more than a handful wait") {
  ReliableProvisional responses(500ms);
  for (std::uint32_t number = 1; !responses.full(); ++number) {
    REQUIRE(number < 100);
    responses.add({"tag", number, 180, ""});
  }
  responses.clear();
  CHECK(responses.empty());
}

}  // namespace
}  // namespace jackfield::sip::call
