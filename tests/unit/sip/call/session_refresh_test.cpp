// Session timers of both legs in a call (RFC 4028, D16), with the clock in hand.
#include "two_phones.h"

namespace jackfield::sip::call {
namespace {

const std::string kTimer = "Supported: timer\r\nAllow: INVITE, ACK, CANCEL, BYE, UPDATE\r\n";

struct Timed : TwoPhones {
  /// With what Ann says in her INVITE and Bob in his 200.
  std::string up(const std::string& hers, const std::string& his) {
    ann.invite(sdp("offer"), hers);
    const auto invite = bob.take_invite();
    bob.answer(invite, 200, sdp("answer"), {}, his);
    bob.expect("ACK");
    auto ok = ann.expect("SIP/2.0 200");
    ann.take_answer(ok);
    ann.ack();
    return ok;
  }
  void both_end(std::string_view reason) {
    CHECK(hangup("sip/1").at("reason") == reason);
    ann.answer(ann.expect("BYE"), 200);
    bob.answer(bob.expect("BYE"), 200);
    check_all_gone();
  }
};

TEST_CASE_FIXTURE(Timed, "P-12 Our INVITE asks for a timer, and our answer gives one, each leg by itself") {
  ann.invite(sdp("offer"), kTimer + "Session-Expires: 600;refresher=uac\r\n");
  const auto invite = bob.take_invite();
  CHECK(header(invite, "Session-Expires") == "1800");
  CHECK(header(invite, "Supported") == "replaces, timer");
  bob.answer(invite, 200, sdp("answer"));
  bob.expect("ACK");
  const auto ok = ann.expect("SIP/2.0 200");
  CHECK(header(ok, "Session-Expires") == "600;refresher=uac");
  CHECK(header(ok, "Require") == "timer");
  ann.take_answer(ok);
  ann.ack();
  hang_up();
}

TEST_CASE_FIXTURE(Timed, "P-12 A caller who asks for too little gets 422, and asks again") {
  ann.invite(sdp("offer"), kTimer + "Session-Expires: 30\r\n");
  const auto refused = ann.expect("SIP/2.0 422");
  CHECK(header(refused, "Min-SE") == "90");
  bob.expect_nothing();
  CHECK(calls->legs() == 0);
  ++ann.cseq;
  up(kTimer + "Session-Expires: 90\r\nMin-SE: 90\r\n", {});
  ann.request("UPDATE", {}, "Supported: timer\r\nSession-Expires: 30\r\n");
  ann.expect("SIP/2.0 422");
  hang_up();
}

TEST_CASE_FIXTURE(Timed, "P-12 A phone that wants more is asked again with more, and the caller does not hear of it") {
  ann.invite(sdp("offer"));
  auto invite = bob.take_invite();
  bob.answer(invite, 422, {}, {}, "Min-SE: 3600\r\n");
  bob.expect("ACK");
  const auto offer = body(invite);
  invite = bob.take_invite();
  CHECK(header(invite, "Session-Expires") == "3600");
  CHECK(header(invite, "Min-SE") == "3600");
  CHECK(header(invite, "CSeq") == "2 INVITE");
  CHECK(body(invite) == offer);
  SUBCASE("it answers") {
    bob.answer(invite, 200, sdp("answer"));
    bob.expect("ACK");
    ann.take_answer(ann.expect("SIP/2.0 200"));
    ann.ack();
    hang_up();
  }
  SUBCASE("one that says so again is refused") {
    bob.answer(invite, 422, {}, {}, "Min-SE: 3600\r\n");
    bob.expect("ACK");
    ann.expect("SIP/2.0 422");
    check_all_gone();
  }
}

TEST_CASE_FIXTURE(Timed, "P-12 We refresh a phone that leaves it to us: by UPDATE where it takes one") {
  up({}, kTimer + "Session-Expires: 600;refresher=uac\r\n");
  engine.advance(299s);
  bob.expect_nothing();
  engine.advance(1020ms);
  const auto update = bob.expect("UPDATE");
  CHECK(header(update, "Session-Expires") == "600;refresher=uac");
  CHECK(body(update).empty());
  bob.answer(update, 200, {}, {}, "Session-Expires: 600;refresher=uac\r\n");
  ann.expect_nothing();
  engine.advance(300020ms);
  bob.answer(bob.expect("UPDATE"), 200, {}, {}, "Session-Expires: 600;refresher=uac\r\n");
  hang_up();
}

TEST_CASE_FIXTURE(Timed, "P-12 Else by re-INVITE with what it was sent last, which changes nothing and which the caller does not hear of") {
  ann.invite(sdp("offer"));
  auto invite = bob.take_invite();
  bob.answer(invite, 200, sdp("answer"), {}, "Session-Expires: 600;refresher=uac\r\n");
  bob.expect("ACK");
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();
  engine.advance(300020ms);
  const auto again = bob.expect("INVITE");
  CHECK(body(again) == body(invite));
  bob.answer(again, 200, sdp("answer"), {}, "Session-Expires: 600;refresher=uac\r\n");
  bob.expect("ACK");
  ann.expect_nothing();
  CHECK(all("call.update").empty());
  hang_up();
}

TEST_CASE_FIXTURE(Timed, "P-12 D16 A phone without timers is asked whether it is there, and ends the call when it is not") {
  up("Supported: timer\r\nSession-Expires: 7200;refresher=uac\r\n", {});
  engine.advance(900020ms);
  const auto invite = bob.expect("INVITE");
  SUBCASE("it is") {
    bob.answer(invite, 200, sdp("answer"));
    bob.expect("ACK");
    ann.request("UPDATE", {}, "Supported: timer\r\nSession-Expires: 1800;refresher=uac\r\n");
    ann.expect("SIP/2.0 200");
    engine.advance(890s);
    bob.expect_nothing();
    engine.advance(10020ms);
    bob.answer(bob.expect("INVITE"), 200, sdp("answer"));
    bob.expect("ACK");
    return hang_up();
  }
  SUBCASE("it is, and does not like it") {
    bob.answer(invite, 488);
    bob.expect("ACK");
    engine.advance(60s);
    CHECK(engine.channels().size() == 2);
    bob.inbox.clear();
    drop("sip/1");
    ann.answer(ann.expect("BYE"), 200);
    bob.inbox.clear();
    return check_all_gone();
  }
  SUBCASE("481") {
    bob.answer(invite, 481);
    bob.expect("ACK");
    both_end("nocall");
  }
  SUBCASE("silence") {
    engine.advance(33s);
    while (!bob.inbox.empty() && bob.inbox.front().starts_with("INVITE")) bob.inbox.pop_front();
    both_end("timeout");
  }
}

TEST_CASE_FIXTURE(Timed, "P-12 A caller who promised to refresh and is silent is given up a little before the end") {
  up(kTimer + "Session-Expires: 600;refresher=uac\r\n", "Supported: timer\r\nSession-Expires: 1800;refresher=uas\r\n");
  engine.advance(500s);
  SUBCASE("he refreshes by UPDATE") { ann.request("UPDATE", {}, "Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n"); }
  SUBCASE("he refreshes by re-INVITE") {
    ann.request("INVITE", sdp("offer"), "Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n");
    bob.answer(bob.expect("INVITE"), 200, sdp("answer"), {}, "Session-Expires: 1800;refresher=uas\r\n");
    bob.expect("ACK");
    const auto ok = ann.expect("SIP/2.0 200");
    CHECK(header(ok, "Session-Expires") == "600;refresher=uac");
    ann.ack();
    engine.advance(500s);
    CHECK(engine.channels().size() == 2);
    return hang_up();
  }
  SUBCASE("he does not") {
    engine.advance(67s);
    CHECK(engine.channels().size() == 2);
    engine.advance(2s);
    CHECK(hangup("sip/1").at("cause_sip") == "408");
    return both_end("timeout");
  }
  CHECK(header(ann.expect("SIP/2.0 200"), "Session-Expires") == "600;refresher=uac");
  engine.advance(500s);
  CHECK(engine.channels().size() == 2);
  hang_up();
}

TEST_CASE_FIXTURE(Timed, "P-12 A refresh that crosses another is sent again after RFC 3261's wait, as long for who made the Call-ID as for nobody else") {
  up({}, kTimer + "Session-Expires: 600;refresher=uac\r\n");
  engine.advance(300020ms);
  bob.answer(bob.expect("UPDATE"), 491);
  engine.advance(2090ms);
  bob.expect_nothing();
  engine.advance(1920ms);
  bob.answer(bob.expect("UPDATE"), 200, {}, {}, "Session-Expires: 600;refresher=uac\r\n");
  bob.inbox.clear();  // it may have been repeated
  hang_up();
}

TEST_CASE_FIXTURE(Timed, "P-12 And within two seconds towards a caller, whose Call-ID it is") {
  up(kTimer + "Session-Expires: 600;refresher=uas\r\n", "Supported: timer\r\nSession-Expires: 1800;refresher=uas\r\n");
  engine.advance(300020ms);
  ann.answer(ann.expect("UPDATE"), 491);
  engine.advance(2020ms);
  ann.answer(ann.expect("UPDATE"), 200, {}, {}, "Session-Expires: 600;refresher=uac\r\n");
  ann.inbox.clear();
  hang_up();
}

TEST_CASE_FIXTURE(Timed, "P-12 A refresh that is refused otherwise is tried until the session has expired") {
  up({}, kTimer + "Session-Expires: 600;refresher=uac\r\n");
  engine.advance(300020ms);
  for (int tries = 0; tries < 29; ++tries) {
    bob.answer(bob.expect("UPDATE"), 500);
    engine.advance(10010ms);
  }
  CHECK(engine.channels().size() == 2);
  bob.answer(bob.expect("UPDATE"), 500);
  engine.advance(15s);
  both_end("timeout");
}

TEST_CASE_FIXTURE(Timed, "P-12 With session_expires=0 nobody is asked") {
  settings->call.session.interval = 0;
  ann.invite(sdp("offer"));
  const auto invite = bob.take_invite();
  CHECK(header(invite, "Session-Expires").empty());
  bob.answer(invite, 200, sdp("answer"));
  bob.expect("ACK");
  const auto ok = ann.expect("SIP/2.0 200");
  CHECK(header(ok, "Session-Expires").empty());
  ann.take_answer(ok);
  ann.ack();
  engine.advance(7200s);
  hang_up();
}

TEST_CASE_FIXTURE(Timed, "P-12 Intervals go down to a second") {
  settings->call.session = {2, 1};
  up("Supported: timer\r\nSession-Expires: 7200;refresher=uac\r\n", {});
  engine.advance(1010ms);
  bob.answer(bob.expect("INVITE"), 200, sdp("answer"));
  bob.expect("ACK");
  engine.advance(400ms);
  CHECK(engine.channels().size() == 0);  // Ann, who promised to refresh every two seconds
  ann.answer(ann.expect("BYE"), 200);
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

}  // namespace
}  // namespace jackfield::sip::call
