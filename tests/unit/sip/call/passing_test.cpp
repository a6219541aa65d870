// INFO and MESSAGE within a call: digits and text on the bus, and on to the other side as they came.
#include "two_phones.h"

namespace jackfield::sip::call {
namespace {

const std::string kRelay = "Signal=5\r\nDuration=160\r\n";

TEST_CASE_FIXTURE(TwoPhones, "P-16 A digit in INFO is chan.dtmf and reaches the other side unchanged") {
  connect(ann, bob);
  SUBCASE("dtmf-relay, from the caller") {
    ann.content_type = "application/dtmf-relay";
    ann.request("INFO", kRelay);
    ann.expect("SIP/2.0 200");
    const auto info = bob.expect("INFO sip:102@198.51.100.2:5060");
    CHECK(body(info) == kRelay);
    CHECK(header(info, "Content-Type") == "application/dtmf-relay");
    bob.answer(info, 200);
    const auto seen = all("chan.dtmf").at(0);
    CHECK(seen.at("id") == "sip/1");
    CHECK(seen.at("peerid") == "sip/2");
    CHECK(seen.at("text") == "5");
    CHECK(seen.at("detected") == "sip-info");
    CHECK(seen.at("duration") == "160");
    CHECK(seen.handled);
  }
  SUBCASE("dtmf, from the called") {
    bob.content_type = "application/dtmf";
    bob.request("INFO", "#");
    bob.expect("SIP/2.0 200");
    const auto info = ann.expect("INFO");
    CHECK(body(info) == "#");
    CHECK(header(info, "Content-Type") == "application/dtmf");
    ann.answer(info, 200);
    CHECK(all("chan.dtmf").at(0).at("text") == "#");
  }
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "P-16 Digits stay in order, and a handler that takes one keeps it from the other side") {
  connect(ann, bob);
  handle(messages::kChanDtmf, [](BusMessage& message) { return message.get("text") == "*"; });
  ann.content_type = "application/dtmf";
  for (const std::string digit : {"1", "*", "2"}) {
    ann.request("INFO", digit);
    ann.expect("SIP/2.0 200");
  }
  for (const std::string digit : {"1", "2"}) {
    const auto info = bob.expect("INFO");
    CHECK(body(info) == digit);
    bob.answer(info, 200);
  }
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "P-16 chan.dtmf of a script is an INFO for each digit, to who takes INFO") {
  bool takes = true;
  SUBCASE("a phone that says nothing") {}
  SUBCASE("one that takes none") { takes = false; }
  const auto invite = ring(ann, bob);
  bob.answer(invite, 200, sdp("answer"), {}, takes ? "" : "Allow: INVITE, ACK, CANCEL, BYE\r\n");
  bob.expect("ACK");
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();
  BusMessage message(messages::kChanDtmf);
  message.set("targetid", "sip/2").set("text", "1#");
  engine.bus().enqueue(std::move(message));
  settle();
  if (takes) {
    CHECK(body(bob.inbox.at(0)) == "Signal=1\r\nDuration=160\r\n");
    bob.answer(bob.expect("INFO"), 200);
    CHECK(body(bob.inbox.at(0)) == "Signal=#\r\nDuration=160\r\n");
    bob.answer(bob.expect("INFO"), 200);
  }
  CHECK(all("chan.dtmf").at(0).handled == takes);
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "P-16 Another body in INFO passes as it is; where nobody takes it, 415") {
  connect(ann, bob);
  ann.content_type = "application/media_control+xml";
  ann.request("INFO", "<media_control/>");
  const auto info = bob.expect("INFO");
  CHECK(body(info) == "<media_control/>");
  CHECK(header(info, "Content-Type") == "application/media_control+xml");
  bob.answer(info, 200);
  ann.expect("SIP/2.0 200");
  CHECK(all("chan.text").at(0).at("method") == "INFO");
  CHECK(all("chan.text").at(0).at("text").empty());
  ann.request("INFO");  // asks only whether we are there
  ann.expect("SIP/2.0 200");
  bob.expect_nothing();
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "Text within a call is chan.text, and MESSAGE again on the other side") {
  connect(ann, bob);
  ann.content_type = "text/plain;charset=utf-8";
  ann.request("MESSAGE", "hello");
  ann.expect("SIP/2.0 200");
  const auto text = bob.expect("MESSAGE");
  CHECK(body(text) == "hello");
  CHECK(header(text, "Content-Type") == "text/plain;charset=utf-8");
  bob.answer(text, 200);
  const auto seen = all("chan.text").at(0);
  CHECK(seen.at("text") == "hello");
  CHECK(seen.at("xsip_body") == "hello");
  CHECK(seen.at("xsip_type") == "text/plain;charset=utf-8");
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "Text that the other side does not take is 480") {
  const auto invite = ring(ann, bob);
  bob.answer(invite, 200, sdp("answer"), {}, "Allow: INVITE, ACK, CANCEL, BYE\r\n");
  bob.expect("ACK");
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();
  ann.content_type = "text/plain";
  ann.request("MESSAGE", "hello");
  ann.expect("SIP/2.0 480");
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "A far end that answers 481 to what passes has no such call: it ends") {
  connect(ann, bob);
  ann.content_type = "application/dtmf";
  ann.request("INFO", "1");
  ann.expect("SIP/2.0 200");
  bob.answer(bob.expect("INFO"), 481);
  ann.answer(ann.expect("BYE"), 200);
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "What waits for its answer when the call ends is left behind by nobody") {
  connect(ann, bob);
  ann.content_type = "application/dtmf";
  ann.request("INFO", "1");
  ann.expect("SIP/2.0 200");
  bob.expect("INFO");
  hang_up();
}

}  // namespace
}  // namespace jackfield::sip::call
