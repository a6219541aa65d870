// Calls with reliable provisional responses (RFC 3262): each leg by itself, for a B2BUA is an end of both.
#include "two_phones.h"

namespace jackfield::sip::call {
namespace {

const std::string kRequired = "Require: 100rel\r\nAllow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE\r\n";
const std::string kSupported100rel = "Supported: 100rel\r\nAllow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE\r\n";
const std::string kAllowsUpdate = "Allow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE\r\n";

struct Reliable : TwoPhones {
  std::string rseq;
  /// Acknowledges a reliable response that Ann got.
  void prack(const std::string& response, const std::string& description = {}) {
    rseq = header(response, "RSeq");
    ann.request("PRACK", description, fmt::format("RAck: {} 1 INVITE\r\n", rseq));
  }
  /// Bob's reliable response, whose PRACK he answers.
  void progress(const std::string& invite, int code, const std::string& description, unsigned number) {
    bob.answer(invite, code, description, {}, fmt::format("Require: 100rel\r\nRSeq: {}\r\n{}", number, kAllowsUpdate));
    const auto prack = bob.expect("PRACK");
    CHECK(header(prack, "RAck") == fmt::format("{} 1 INVITE", number));
    bob.answer(prack, 200);
  }
  /// Both have agreed on a session before the answer.
  std::string agree() {
    settings->prack = true;
    ann.invite(sdp("offer"), kSupported100rel);
    const auto invite = bob.take_invite();
    CHECK(header(invite, "Supported") == "100rel, replaces, timer");
    progress(invite, 183, sdp("early"), 41);
    const auto early = ann.expect("SIP/2.0 183");
    ann.take_answer(early);
    prack(early);
    ann.expect("SIP/2.0 200");
    return invite;
  }
  void answered(const std::string& invite) {
    bob.answer(invite, 200);
    const auto ack = bob.expect("ACK");
    CHECK(header(ack, "CSeq") == "1 ACK");
    const auto ok = ann.expect("SIP/2.0 200");
    CHECK(body(ok).empty());  // the answer was acknowledged before
    ann.take_answer(ok);
    const auto cseq = std::exchange(ann.cseq, 1);
    ann.ack();
    ann.cseq = cseq;
    CHECK(all("call.answered").size() == 1);
  }
};

TEST_CASE_FIXTURE(Reliable, "P-13 A caller who requires 100rel gets every provisional response reliably, whatever the phone can do") {
  ann.invite(sdp("offer"), kRequired);
  const auto invite = bob.take_invite();
  CHECK(header(invite, "Supported") == "replaces, timer");
  CHECK(header(invite, "Require").empty());
  bob.answer(invite, 180);
  const auto ringing = ann.expect("SIP/2.0 180");
  CHECK(header(ringing, "Require") == "100rel");
  ann.take_answer(ringing);
  engine.advance(500ms);
  CHECK(header(ann.expect("SIP/2.0 180"), "RSeq") == header(ringing, "RSeq"));
  engine.advance(900ms);
  ann.expect_nothing();
  engine.advance(100ms);
  ann.expect("SIP/2.0 180");
  // The next one waits.
  bob.answer(invite, 183, sdp("early"));
  ann.expect_nothing();
  prack(ringing);
  ann.expect("SIP/2.0 200");
  const auto early = ann.expect("SIP/2.0 183");
  CHECK(std::stoul(header(early, "RSeq")) == std::stoul(rseq) + 1);
  // And so does the answer, as the description is not acknowledged.
  bob.answer(invite, 200, sdp("early"));
  bob.expect("ACK");
  ann.expect_nothing();
  prack(early);
  ann.expect("SIP/2.0 200");
  const auto ok = ann.expect("SIP/2.0 200");
  CHECK(header(ok, "CSeq") == "1 INVITE");
  CHECK(body(ok).empty());
  CHECK(tag_of(ok, "To") == tag_of(early, "To"));
  ann.take_answer(ok);
  const auto cseq = std::exchange(ann.cseq, 1);
  ann.ack();
  ann.cseq = cseq;
  engine.advance(60s);
  ann.expect_nothing();
  hang_up();
}

TEST_CASE_FIXTURE(Reliable, "P-13 A caller who only supports it gets none unless prack says so, for all or for this call") {
  std::string extra;
  SUBCASE("not by default") {}
  SUBCASE("by key") { settings->prack = true; }
  SUBCASE("by route") { extra = "true"; }
  route = [&extra](BusMessage& message) {
    message.set_retvalue("sip/sip:102@198.51.100.2:5060");
    if (!extra.empty()) message.set("iprack", extra).set("prack", extra);
    return true;
  };
  const bool reliable = settings->prack || !extra.empty();
  ann.invite(sdp("offer"), kSupported100rel);
  const auto invite = bob.take_invite();
  CHECK(header(invite, "Supported") == (reliable ? "100rel, replaces, timer" : "replaces, timer"));
  bob.answer(invite, 180);
  CHECK(header(ann.expect("SIP/2.0 180"), "Require").empty());
  bob.answer(invite, 183, sdp("early"));
  CHECK(header(ann.expect("SIP/2.0 183"), "Require") == (reliable ? "100rel" : ""));
  bob.answer(invite, 486);
  bob.expect("ACK");
  ann.expect("SIP/2.0 486");
  check_all_gone();
}

TEST_CASE_FIXTURE(Reliable, "P-13 A PRACK for nothing is 481, a broken one 400, and neither acknowledges") {
  ann.invite(sdp("offer"), kRequired);
  const auto invite = bob.take_invite();
  bob.answer(invite, 180);
  const auto ringing = ann.expect("SIP/2.0 180");
  ann.take_answer(ringing);
  const auto number = header(ringing, "RSeq");
  ann.request("PRACK", {}, fmt::format("RAck: {} 2 INVITE\r\n", number));
  ann.expect("SIP/2.0 481");
  ann.request("PRACK", {}, "RAck: 1 1 INVITE\r\n");
  ann.expect("SIP/2.0 481");
  ann.request("PRACK", {}, "RAck: nonsense\r\n");
  ann.expect("SIP/2.0 400");
  engine.advance(500ms);
  ann.expect("SIP/2.0 180");
  prack(ringing);
  ann.expect("SIP/2.0 200");
  engine.advance(10s);
  ann.expect_nothing();
  prack(ringing);
  ann.expect("SIP/2.0 481");
  ann.cseq = 1;
  ann.cancel();
  ann.expect("SIP/2.0 200");
  ann.expect("SIP/2.0 487");
  ann.cseq = 9;
  prack(ringing);
  ann.expect("SIP/2.0 481");
  bob.answer(bob.expect("CANCEL"), 200);
  bob.answer(invite, 487);
  bob.expect("ACK");
  check_all_gone();
}

TEST_CASE_FIXTURE(Reliable, "P-13 A caller who never acknowledges is refused after 64*T1, and the phone stops ringing") {
  ann.invite(sdp("offer"), kRequired);
  const auto invite = bob.take_invite();
  bob.answer(invite, 180);
  engine.advance(31900ms);
  while (!ann.inbox.empty() && !ann.inbox.front().starts_with("SIP/2.0 504")) ann.inbox.pop_front();
  CHECK(ann.inbox.empty());
  engine.advance(200ms);
  ann.expect("SIP/2.0 504");
  bob.answer(bob.expect("CANCEL"), 200);
  bob.answer(invite, 487);
  bob.expect("ACK");
  check_all_gone();
}

TEST_CASE_FIXTURE(Reliable, "P-13 A phone's reliable responses are acknowledged once each, in order, and repetitions say nothing new") {
  settings->prack = true;
  ann.invite(sdp("offer"));
  const auto invite = bob.take_invite();
  const auto reliable = [&](unsigned number) {
    bob.answer(invite, 180, {}, {}, fmt::format("Require: 100rel\r\nRSeq: {}\r\n", number));
  };
  reliable(5);
  const auto prack = bob.expect("PRACK sip:102@198.51.100.2:5060");
  CHECK(header(prack, "RAck") == "5 1 INVITE");
  CHECK(header(prack, "CSeq") == "2 PRACK");
  CHECK(header(ann.expect("SIP/2.0 180"), "Require").empty());
  reliable(5);
  reliable(7);
  bob.expect_nothing();
  bob.answer(prack, 200);
  reliable(6);
  CHECK(header(bob.expect("PRACK"), "CSeq") == "3 PRACK");
  CHECK(all("call.ringing").size() == 2);
  bob.answer(invite, 200, sdp("answer"));
  CHECK(header(bob.expect("ACK"), "CSeq") == "1 ACK");
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  const auto bye = bob.expect("BYE");
  CHECK(header(bye, "CSeq") == "4 BYE");  // numbers of the early dialog go on
  bob.answer(bye, 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Reliable, "P-13 An answer that was given reliably is not asked for again, nor said twice") {
  const auto invite = agree();
  answered(invite);
  hang_up();
}

TEST_CASE_FIXTURE(Reliable, "P-13 Without reliability towards the caller the answer of an early response comes again with the 200") {
  settings->prack = true;
  ann.invite(sdp("offer"));
  const auto invite = bob.take_invite();
  progress(invite, 183, sdp("early"), 41);
  const auto early = ann.expect("SIP/2.0 183");
  CHECK(header(early, "Require").empty());
  bob.answer(invite, 200);
  bob.expect("ACK");
  const auto ok = ann.expect("SIP/2.0 200");
  CHECK(body(ok) == body(early));
  ann.take_answer(ok);
  ann.ack();
  hang_up();
}

TEST_CASE_FIXTURE(Reliable, "P-13 Before the answer either side may change what was agreed reliably, by UPDATE") {
  const auto invite = agree();
  SUBCASE("the caller") {
    ann.request("UPDATE", sdp("change"), kAllowsUpdate);
    const auto update = bob.expect("UPDATE sip:102@198.51.100.2:5060");
    CHECK(split_origin(body(update)).second == split_origin(sdp("change")).second);
    CHECK(tag_of(update, "To") == bob.local_tag);
    bob.answer(update, 200, sdp("agreed"));
    CHECK(split_origin(body(ann.expect("SIP/2.0 200"))).second == split_origin(sdp("agreed")).second);
  }
  SUBCASE("the phone") {
    bob.request("UPDATE", sdp("change"), kAllowsUpdate);
    const auto update = ann.expect("UPDATE");
    CHECK(tag_of(update, "From") == ann.remote_tag);
    ann.answer(update, 200, sdp("agreed"));
    CHECK(split_origin(body(bob.expect("SIP/2.0 200"))).second == split_origin(sdp("agreed")).second);
  }
  SUBCASE("or be refused, and what was agreed holds") {
    ann.request("UPDATE", sdp("change"));
    bob.answer(bob.expect("UPDATE"), 488);
    ann.expect("SIP/2.0 488");
  }
  SUBCASE("both at once get 491") {
    ann.request("UPDATE", sdp("change-a"));
    const auto update = bob.expect("UPDATE");
    bob.request("UPDATE", sdp("change-b"));
    bob.expect("SIP/2.0 491");
    bob.answer(update, 491);
    ann.expect("SIP/2.0 491");
  }
  SUBCASE("one after the other gets 500") {
    ann.request("UPDATE", sdp("one"));
    const auto update = bob.expect("UPDATE");
    ann.request("UPDATE", sdp("two"));
    CHECK(!header(ann.expect("SIP/2.0 500"), "Retry-After").empty());
    bob.answer(update, 200, sdp("agreed"));
    ann.expect("SIP/2.0 200");
  }
  SUBCASE("the caller ends under it") {
    ann.request("UPDATE", sdp("change"));
    const auto update = bob.expect("UPDATE");
    const auto cseq = std::exchange(ann.cseq, 1);
    ann.cancel();
    ann.cseq = cseq;
    ann.expect("SIP/2.0 200");
    bob.answer(update, 200, sdp("agreed"));
    bob.answer(bob.expect("CANCEL"), 200);
    bob.answer(invite, 487);
    bob.expect("ACK");
    return check_all_gone();
  }
  answered(invite);
  hang_up();
}

TEST_CASE_FIXTURE(Reliable, "P-13 An offer in a PRACK goes on as UPDATE, and its answer comes with the PRACK's") {
  settings->prack = true;
  ann.invite(sdp("offer"), kSupported100rel);
  const auto invite = bob.take_invite();
  progress(invite, 183, sdp("early"), 1);
  const auto early = ann.expect("SIP/2.0 183");
  ann.take_answer(early);
  prack(early, sdp("change"));
  ann.expect_nothing();
  bob.answer(bob.expect("UPDATE"), 200, sdp("agreed"));
  const auto ok = ann.expect("SIP/2.0 200");
  CHECK(header(ok, "CSeq") == "2 PRACK");
  CHECK(split_origin(body(ok)).second == split_origin(sdp("agreed")).second);
  answered(invite);
  hang_up();
}

TEST_CASE_FIXTURE(Reliable, "P-13 An offer before ours is answered is 491 to the phone, one before his is answered 500 to the caller") {
  ann.invite(sdp("offer"), kRequired);
  const auto invite = bob.take_invite();
  bob.answer(invite, 180, {}, {}, kAllowsUpdate);
  const auto ringing = ann.expect("SIP/2.0 180");
  ann.take_answer(ringing);
  bob.request("UPDATE", sdp("change"));
  bob.expect("SIP/2.0 491");
  ann.request("UPDATE", sdp("change"));
  ann.expect("SIP/2.0 500");
  ann.request("UPDATE");
  ann.expect("SIP/2.0 200");
  ann.cseq = 1;
  ann.cancel();
  ann.expect("SIP/2.0 200");
  ann.expect("SIP/2.0 487");
  ann.cseq = 9;
  ann.request("UPDATE", sdp("late"));
  ann.expect("SIP/2.0 481");
  bob.answer(bob.expect("CANCEL"), 200);
  bob.answer(invite, 487);
  bob.expect("ACK");
  bob.request("UPDATE", sdp("late"));
  bob.expect("SIP/2.0 481");
  check_all_gone();
}

TEST_CASE_FIXTURE(Reliable, "P-13 D14 Each branch's early description is acknowledged under its own tag, and has numbers of its own") {
  settings->call.early_media = EarlyMedia::each;
  ann.invite(sdp("offer"), kRequired);
  const auto invite = bob.take_invite();
  bob.answer(invite, 183, sdp("first"), "phone-a");
  const auto first = ann.expect("SIP/2.0 183");
  bob.answer(invite, 183, sdp("second"), "phone-b");
  ann.expect_nothing();
  ann.take_answer(first);
  prack(first);
  ann.expect("SIP/2.0 200");
  const auto second = ann.expect("SIP/2.0 183");
  CHECK(tag_of(first, "To") != tag_of(second, "To"));
  ann.take_answer(second);
  ann.cseq = 1;
  prack(second);
  CHECK(header(ann.expect("SIP/2.0 200"), "CSeq") == "2 PRACK");
  bob.answer(invite, 200, sdp("second"), "phone-b");
  bob.expect("ACK");
  const auto ok = ann.expect("SIP/2.0 200");
  CHECK(tag_of(ok, "To") == tag_of(second, "To"));
  CHECK(body(ok).empty());
  ann.cseq = 1;
  ann.ack();
  ann.cseq = 2;
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Reliable, "P-13 A caller who requires it and offers nothing is offered a stream that stands still, and the phone's own once it has answered") {
  ann.invite({}, kRequired);
  const auto invite = bob.take_invite();
  CHECK(header(invite, "Supported") == "replaces, timer");  // what it offered reliably would wait for an answer of nobody's
  bob.answer(invite, 183, sdp("not to be answered yet"));
  const auto ringing = ann.expect("SIP/2.0 183");
  CHECK(header(ringing, "Require") == "100rel");
  CHECK(body(ringing).find("m=audio 9 RTP/AVP 0 8\r\na=inactive\r\n") != std::string::npos);
  ann.take_answer(ringing);
  SUBCASE("who acknowledges in time") { prack(ringing, sdp("stands still")); }
  SUBCASE("or when the phone has answered already") {}
  bob.answer(invite, 200, sdp("offer-of-bob"));
  if (rseq.empty()) {
    ann.expect_nothing();  // RFC 3262 §3
    prack(ringing, sdp("stands still"));
  }
  ann.expect("SIP/2.0 200");
  const auto ok = ann.expect("SIP/2.0 200");
  CHECK(header(ok, "CSeq") == "1 INVITE");
  CHECK(body(ok).empty());  // offer and answer are made
  ann.take_answer(ok);
  bob.expect_nothing();
  const auto cseq = std::exchange(ann.cseq, 1);
  ann.ack();
  ann.cseq = cseq;
  const auto reinvite = ann.expect("INVITE");
  CHECK(split_origin(body(reinvite)).second == split_origin(sdp("offer-of-bob")).second);
  CHECK(split_origin(body(reinvite)).first.find(" 2 IN IP4") != std::string::npos);  // the same session, changed once
  ann.answer(reinvite, 200, sdp("answer-of-ann"));
  ann.expect("ACK");
  CHECK(split_origin(body(bob.expect("ACK"))).second == split_origin(sdp("answer-of-ann")).second);
  engine.advance(10s);
  ann.expect_nothing();
  bob.expect_nothing();
  hang_up();
}

TEST_CASE_FIXTURE(Reliable, "P-13 Later responses to him bring nothing more, and he may give up or be refused") {
  ann.invite({}, kRequired);
  const auto invite = bob.take_invite();
  bob.answer(invite, 180);
  const auto ringing = ann.expect("SIP/2.0 180");
  ann.take_answer(ringing);
  prack(ringing, sdp("stands still"));
  ann.expect("SIP/2.0 200");
  bob.answer(invite, 182);
  const auto queued = ann.expect("SIP/2.0 182");
  CHECK(body(queued).empty());
  prack(queued);
  ann.expect("SIP/2.0 200");
  bob.answer(invite, 486);
  bob.expect("ACK");
  ann.expect("SIP/2.0 486");
  check_all_gone();
}

TEST_CASE_FIXTURE(Reliable, "P-13 One who only supports it and offers nothing gets them as they come") {
  settings->prack = true;
  ann.invite({}, kSupported100rel);
  const auto invite = bob.take_invite();
  bob.answer(invite, 183, sdp("early"));
  const auto early = ann.expect("SIP/2.0 183");
  CHECK(header(early, "RSeq").empty());
  bob.answer(invite, 486);
  bob.expect("ACK");
  ann.expect("SIP/2.0 486");
  check_all_gone();
}

}  // namespace
}  // namespace jackfield::sip::call
