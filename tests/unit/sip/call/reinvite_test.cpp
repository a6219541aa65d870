// Offers and answers within a call: hold and resume, glare, refusal, cancelling, and what lost messages do to them.
#include "two_phones.h"

namespace jackfield::sip::call {
namespace {

TEST_CASE_FIXTURE(TwoPhones, "Hold and resume pass from the caller to the called") {
  connect(ann, bob);
  for (const std::string_view way : {"sendonly", "sendrecv"}) {
    ann.request("INVITE", sdp(way));
    const auto invite = bob.expect("INVITE");
    CHECK(split_origin(body(invite)).second == split_origin(sdp(way)).second);
    bob.answer(invite, 200, sdp(std::string("answer-") + std::string(way)));
    bob.expect("ACK");
    const auto ok = ann.expect("SIP/2.0 200");
    CHECK(split_origin(body(ok)).second == split_origin(sdp(std::string("answer-") + std::string(way))).second);
    ann.ack();
  }
  CHECK(all("call.update").size() == 4);
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "And from the called to the caller") {
  connect(ann, bob);
  bob.request("INVITE", sdp("hold"));
  const auto invite = ann.expect("INVITE sip:101@198.51.100.1:5060");
  ann.answer(invite, 200, sdp("held"));
  ann.expect("ACK");
  CHECK(split_origin(body(bob.expect("SIP/2.0 200"))).second == split_origin(sdp("held")).second);
  bob.ack();
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "Towards each side a session keeps its id, and its version rises by one when the body changes") {
  ann.invite(sdp("offer", "ann 100 1 IN IP4 10.0.0.1"));
  const auto first = body(bob.take_invite());
  bob.answer(bob.last_invite, 200, sdp("answer", "bob 5 5 IN IP4 10.0.0.2"));
  bob.expect("ACK");
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();
  const auto session = [&](const std::string& description) {
    ann.request("INVITE", description);
    const auto invite = bob.expect("INVITE");
    bob.answer(invite, 200, sdp("answer", "bob 5 5 IN IP4 10.0.0.2"));
    bob.expect("ACK");
    ann.expect("SIP/2.0 200");
    ann.ack();
    return split_origin(body(invite)).first;
  };
  const auto origin = split_origin(first).first;
  REQUIRE(origin.starts_with("o=ann "));
  const auto id = origin.substr(6, origin.find(' ', 6) - 6);
  CHECK(id != "100");
  CHECK(origin == fmt::format("o=ann {} 1 IN IP4 10.0.0.1", id));
  CHECK(session(sdp("offer", "ann 100 9 IN IP4 10.0.0.1")) == fmt::format("o=ann {} 1 IN IP4 10.0.0.1", id));
  CHECK(session(sdp("other", "ann 100 10 IN IP4 10.0.0.1")) == fmt::format("o=ann {} 2 IN IP4 10.0.0.1", id));
  CHECK(session(sdp("offer", "ann 999 1 IN IP4 10.0.0.1")) == fmt::format("o=ann {} 3 IN IP4 10.0.0.1", id));
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "A refused re-INVITE leaves the call up") {
  connect(ann, bob);
  ann.request("INVITE", sdp("video"));
  bob.answer(bob.expect("INVITE"), 488);
  bob.expect("ACK");
  ann.expect("SIP/2.0 488");
  ann.ack();
  CHECK(engine.channels().size() == 2);
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "A re-INVITE answered 481, or by silence, ends the call") {
  connect(ann, bob);
  ann.request("INVITE", sdp("hold"));
  const auto invite = bob.expect("INVITE");
  SUBCASE("481") {
    bob.answer(invite, 481);
    bob.expect("ACK");
  }
  SUBCASE("silence") {
    engine.advance(32500ms);
    while (!bob.inbox.empty() && bob.inbox.front().starts_with("INVITE")) bob.inbox.pop_front();
  }
  while (!ann.inbox.empty() && !ann.inbox.front().starts_with("BYE")) ann.inbox.pop_front();
  ann.answer(ann.expect("BYE"), 200);
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "Re-INVITEs that cross get 491") {
  connect(ann, bob);
  ann.request("INVITE", sdp("hold-a"));
  const auto invite = bob.expect("INVITE");
  const auto own = bob.request("INVITE", sdp("hold-b"));
  bob.expect("SIP/2.0 491");
  SUBCASE("the first goes through") {
    bob.answer(invite, 200, sdp("answer"));
    bob.expect("ACK");
    ann.expect("SIP/2.0 200");
    ann.ack();
  }
  SUBCASE("or is refused in turn") {
    bob.answer(invite, 491);
    bob.expect("ACK");
    ann.expect("SIP/2.0 491");
  }
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "A re-INVITE that is cancelled is cancelled at the other end too, whose answer decides") {
  connect(ann, bob);
  ann.request("INVITE", sdp("hold"));
  const auto invite = bob.expect("INVITE");
  bob.answer(invite, 100);
  ann.cancel();
  ann.expect("SIP/2.0 200");
  const auto cancel = bob.expect("CANCEL");
  CHECK(header(cancel, "CSeq") == header(invite, "CSeq").substr(0, header(invite, "CSeq").find(' ')) + " CANCEL");
  bob.answer(cancel, 200);
  SUBCASE("it takes it back") {
    ann.expect_nothing();
    bob.answer(invite, 487);
    bob.expect("ACK");
    ann.expect("SIP/2.0 487");
    ann.ack();
  }
  SUBCASE("it had agreed already: then both are in the new session") {
    bob.answer(invite, 200, sdp("held"));
    bob.expect("ACK");
    ann.expect("SIP/2.0 200");
    ann.ack();
  }
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "A re-INVITE whose other end is no SIP leg and cannot take it back is 487 at once") {
  connect(ann, bob);
  handle(messages::kCallUpdate, [](BusMessage& message) {
    message.set("peerid", "other/1").set("targetid", "other/1");
    return message.get("operation") == "request" ? Verdict(true) : Verdict(false);
  });
  ann.request("INVITE", sdp("hold"));
  ann.cancel();
  ann.expect("SIP/2.0 200");
  ann.expect("SIP/2.0 487");
  ann.ack();
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "A 2xx that is repeated after a re-INVITE has left is acknowledged, and ends nothing") {
  const auto invite = ring(ann, bob);
  bob.answer(invite, 200, sdp("answer"));
  const auto first = bob.expect("ACK");
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();
  ann.request("INVITE", sdp("hold"));
  const auto hold = bob.expect("INVITE");
  bob.answer(invite, 200, sdp("answer"));  // the ACK was lost
  CHECK(header(bob.expect("ACK"), "CSeq") == header(first, "CSeq"));
  bob.expect_nothing();
  bob.answer(hold, 200, sdp("held"));
  bob.expect("ACK");
  ann.expect("SIP/2.0 200");
  ann.ack();
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "A re-INVITE with a body nobody reads is 415 and changes nothing") {
  connect(ann, bob);
  ann.content_type = "text/plain";
  ann.request("INVITE", "hello");
  CHECK(header(ann.expect("SIP/2.0 415"), "Accept") == kAccept);
  bob.expect_nothing();
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "A second re-INVITE before the first is answered gets 500") {
  connect(ann, bob);
  ann.request("INVITE", sdp("one"));
  const auto invite = bob.expect("INVITE");
  ann.request("INVITE", sdp("two"));
  CHECK(!header(ann.expect("SIP/2.0 500"), "Retry-After").empty());
  bob.answer(invite, 200, sdp("answer"));
  bob.expect("ACK");
  CHECK(header(ann.expect("SIP/2.0 200"), "CSeq") == "2 INVITE");
  --ann.cseq;
  ann.ack();
  ++ann.cseq;
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "A re-INVITE without an offer is answered with one, which the ACK answers") {
  connect(ann, bob);
  ann.request("INVITE");
  const auto invite = bob.expect("INVITE");
  CHECK(body(invite).empty());
  bob.answer(invite, 200, sdp("offer-of-bob"));
  bob.expect_nothing();
  CHECK(split_origin(body(ann.expect("SIP/2.0 200"))).second == split_origin(sdp("offer-of-bob")).second);
  ann.ack(sdp("answer-of-ann"));
  CHECK(split_origin(body(bob.expect("ACK"))).second == split_origin(sdp("answer-of-ann")).second);
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "A re-INVITE that waits is answered 487 when the call ends under it") {
  connect(ann, bob);
  ann.request("INVITE", sdp("hold"));
  bob.expect("INVITE");
  drop("sip/1");
  ann.expect("SIP/2.0 487");
  ann.answer(ann.expect("BYE"), 200);
  bob.answer(bob.expect("BYE"), 200);
  bob.inbox.clear();
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "The Contact of a re-INVITE becomes where requests go") {
  connect(ann, bob);
  bob.via_host = "198.51.100.2:5099";
  bob.request("INVITE", sdp("moved"));
  ann.answer(ann.expect("INVITE"), 200, sdp("answer"));
  ann.expect("ACK");
  bob.expect("SIP/2.0 200");
  bob.ack();
  ann.request("BYE");
  bob.answer(bob.expect("BYE sip:102@198.51.100.2:5099"), 200);
  check_all_gone();
}

}  // namespace
}  // namespace jackfield::sip::call
