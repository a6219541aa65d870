// UPDATE within an answered call (RFC 3311): from either side, to one that takes it or to one that does not, and what crosses it.
#include "two_phones.h"

namespace jackfield::sip::call {
namespace {

const std::string kAllowsUpdate = "Allow: INVITE, ACK, CANCEL, BYE, UPDATE\r\n";

struct Updating : TwoPhones {
  /// Both say that they take UPDATE.
  void connect_updating() {
    ann.invite(sdp("offer"), kAllowsUpdate);
    const auto invite = bob.take_invite();
    bob.answer(invite, 200, sdp("answer"), {}, kAllowsUpdate);
    bob.expect("ACK");
    ann.take_answer(ann.expect("SIP/2.0 200"));
    ann.ack();
  }
};

TEST_CASE_FIXTURE(Updating, "P-13 An UPDATE passes from either side, with its answer") {
  connect_updating();
  ann.request("UPDATE", sdp("change-a"));
  auto update = bob.expect("UPDATE sip:102@198.51.100.2:5060");
  CHECK(!header(update, "Contact").empty());
  CHECK(split_origin(body(update)).second == split_origin(sdp("change-a")).second);
  bob.answer(update, 200, sdp("agreed-b"));
  auto ok = ann.expect("SIP/2.0 200");
  CHECK(header(ok, "CSeq") == "2 UPDATE");
  CHECK(split_origin(body(ok)).second == split_origin(sdp("agreed-b")).second);

  bob.request("UPDATE", sdp("change-b"));
  update = ann.expect("UPDATE sip:101@198.51.100.1:5060");
  ann.answer(update, 200, sdp("agreed-a"));
  CHECK(split_origin(body(bob.expect("SIP/2.0 200"))).second == split_origin(sdp("agreed-a")).second);
  hang_up();
}

TEST_CASE_FIXTURE(Updating, "P-13 To a phone that takes no UPDATE it goes as re-INVITE") {
  connect(ann, bob);
  ann.request("UPDATE", sdp("change"));
  const auto invite = bob.expect("INVITE");
  CHECK(split_origin(body(invite)).second == split_origin(sdp("change")).second);
  SUBCASE("which is answered") {
    bob.answer(invite, 200, sdp("agreed"));
    bob.expect("ACK");
    CHECK(split_origin(body(ann.expect("SIP/2.0 200"))).second == split_origin(sdp("agreed")).second);
  }
  SUBCASE("or refused") {
    bob.answer(invite, 488);
    bob.expect("ACK");
    ann.expect("SIP/2.0 488");
  }
  SUBCASE("or waits for somebody: the UPDATE cannot, and the INVITE is taken back") {
    bob.answer(invite, 180);
    engine.advance(15900ms);
    ann.expect_nothing();
    engine.advance(200ms);
    ann.expect("SIP/2.0 504");
    bob.answer(bob.expect("CANCEL"), 200);
    bob.answer(invite, 487);
    bob.expect("ACK");
  }
  hang_up();
}

TEST_CASE_FIXTURE(Updating, "P-13 A re-INVITE stays a re-INVITE, for it may wait") {
  connect_updating();
  ann.request("INVITE", sdp("hold"));
  bob.answer(bob.expect("INVITE"), 200, sdp("held"));
  bob.expect("ACK");
  ann.expect("SIP/2.0 200");
  ann.ack();
  hang_up();
}

TEST_CASE_FIXTURE(Updating, "P-13 A refused UPDATE leaves the call up; 481 and silence end it") {
  connect_updating();
  ann.request("UPDATE", sdp("change"));
  const auto update = bob.expect("UPDATE");
  SUBCASE("refused") {
    bob.answer(update, 488);
    ann.expect("SIP/2.0 488");
    return hang_up();
  }
  SUBCASE("481") { bob.answer(update, 481); }
  SUBCASE("408") { bob.answer(update, 408); }
  SUBCASE("silence") {
    engine.advance(15s);
    CHECK(engine.channels().size() == 2);
    engine.advance(18s);
  }
  while (!ann.inbox.empty() && !ann.inbox.front().starts_with("BYE")) ann.inbox.pop_front();
  while (!bob.inbox.empty() && !bob.inbox.front().starts_with("BYE")) bob.inbox.pop_front();
  ann.answer(ann.expect("BYE"), 200);
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Updating, "P-13 What crosses an UPDATE is 491, what follows it too soon 500") {
  connect_updating();
  ann.request("UPDATE", sdp("change"));
  const auto update = bob.expect("UPDATE");
  SUBCASE("UPDATE") {
    bob.request("UPDATE", sdp("other"));
    bob.expect("SIP/2.0 491");
  }
  SUBCASE("INVITE") {
    bob.request("INVITE", sdp("other"));
    bob.expect("SIP/2.0 491");
  }
  SUBCASE("a second UPDATE") {
    ann.request("UPDATE", sdp("other"));
    ann.expect("SIP/2.0 500");
  }
  SUBCASE("an INVITE of the same side") {
    ann.request("INVITE", sdp("other"));
    ann.expect("SIP/2.0 500");
  }
  SUBCASE("one without an offer crosses nothing") {
    bob.request("UPDATE");
    bob.expect("SIP/2.0 200");
  }
  bob.answer(update, 200, sdp("agreed"));
  ann.expect("SIP/2.0 200");
  hang_up();
}

TEST_CASE_FIXTURE(Updating, "P-13 An UPDATE while a re-INVITE waits is 491") {
  connect_updating();
  ann.request("INVITE", sdp("hold"));
  const auto invite = bob.expect("INVITE");
  bob.request("UPDATE", sdp("other"));
  bob.expect("SIP/2.0 491");
  bob.answer(invite, 200, sdp("held"));
  bob.expect("ACK");
  ann.expect("SIP/2.0 200");
  ann.ack();
  hang_up();
}

TEST_CASE_FIXTURE(Updating, "P-13 An UPDATE without an offer is answered here, and its Contact becomes where requests go") {
  connect_updating();
  bob.request("UPDATE", {}, "Contact: <sip:102@198.51.100.2:5099>\r\n");
  CHECK(!header(bob.expect("SIP/2.0 200"), "Contact").empty());
  ann.expect_nothing();
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  bob.answer(bob.expect("BYE sip:102@198.51.100.2:5099"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Updating, "P-13 An UPDATE that waits is answered when the call ends under it") {
  connect_updating();
  ann.request("UPDATE", sdp("change"));
  const auto update = bob.expect("UPDATE");
  drop("sip/1");
  ann.expect("SIP/2.0 487");
  ann.answer(ann.expect("BYE"), 200);
  bob.answer(bob.expect("BYE"), 200);
  bob.answer(update, 200, sdp("late"));
  ann.request("UPDATE", sdp("after"));
  ann.expect("SIP/2.0 481");
  check_all_gone();
}

TEST_CASE_FIXTURE(Updating, "P-13 A body in UPDATE that nobody reads is 415") {
  connect_updating();
  ann.content_type = "text/plain";
  ann.request("UPDATE", "hello");
  CHECK(header(ann.expect("SIP/2.0 415"), "Accept") == kAccept);
  hang_up();
}

}  // namespace
}  // namespace jackfield::sip::call
