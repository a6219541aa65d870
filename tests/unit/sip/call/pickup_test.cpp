// An INVITE with Replaces takes another call's place (RFC 3891), and channels that scripts connect get one session (P-11).
#include "two_phones.h"

namespace jackfield::sip::call {
namespace {

struct Pickup : TwoPhones {
  FarEnd dan{*this, "198.51.100.4:5060"};
  Pickup() { dan.name = "104"; }
  std::string take(const std::string& extra = {}, const std::string& description = sdp("dan")) {
    // As Bob's phone has told it: the dialog between him and us, seen from us.
    dan.invite(description, fmt::format("Replaces: {};to-tag={};from-tag={}{}\r\n", bob.call_id, bob.remote_tag, bob.local_tag, extra));
    return dan.expect("SIP/2.0");
  }
  /// One is asked for an offer, the other answers it.
  void joined(FarEnd& one, FarEnd& other) {
    auto& asked = one.inbox.empty() ? other : one;
    auto& second = one.inbox.empty() ? one : other;
    const auto offerless = asked.expect("INVITE");
    CHECK(body(offerless).empty());
    asked.answer(offerless, 200, sdp("offered"));
    second.answer(second.expect("INVITE"), 200, sdp("agreed"));
    second.expect("ACK");
    CHECK(split_origin(body(asked.expect("ACK"))).second == split_origin(sdp("agreed")).second);
  }
};

TEST_CASE_FIXTURE(Pickup, "P-11: A ringing call is picked up, and the phone that rang shows no missed call") {
  const auto invite = ring(ann, bob);
  bob.local_tag = "tag-" + bob.via_host;
  door.sender.username = "104";
  const auto ok = take();
  CHECK(ok.starts_with("SIP/2.0 200"));
  const auto cancel = bob.expect("CANCEL");
  CHECK(header(cancel, "Reason") == "SIP;cause=200;text=\"Call completed elsewhere\"");
  bob.answer(cancel, 200);
  bob.answer(invite, 487);
  bob.expect("ACK");
  dan.take_answer(ok);
  dan.ack();
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();
  joined(ann, dan);
  CHECK(all("chan.replaced").at(0).at("id") == "sip/2");
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  dan.answer(dan.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Pickup, "D6: An answered call is taken over by another phone of its user, by nobody else, and by everybody with transfer=yes") {
  bindings.all["sip:102@198.51.100.2:5060"] = {.flow = bob.flow, .request_uri = "sip:102@198.51.100.2:5060", .route = {}, .username = "102"};
  connect(ann, bob);
  const auto asked = [&](const char* user, std::vector<std::pair<std::string, std::string>> parameters = {}) {
    door.sender = {Sender::Kind::user, user, {}, std::move(parameters)};
    dan.call_id += "+";
    dan.invite({}, fmt::format("Replaces: {};to-tag={};from-tag={}\r\n", bob.call_id, bob.remote_tag, bob.local_tag));
    return dan.inbox.empty() ? "taken" : dan.expect("SIP/2.0").substr(8, 3);
  };
  CHECK(asked("104") == "403");
  CHECK(asked("102", {{"transfer", "no"}}) == "403");
  bob.expect_nothing();
  ann.expect_nothing();
  SUBCASE("its user") { CHECK(asked("102") == "taken"); }
  SUBCASE("somebody for whom that was said") { CHECK(asked("104", {{"transfer", "yes"}}) == "taken"); }
  SUBCASE("everybody") {
    settings->transfer = TransferPolicy::anyone;
    CHECK(asked("104") == "taken");
  }
  bob.answer(bob.expect("BYE"), 200);
  ann.answer(ann.expect("INVITE"), 488);
  ann.expect("ACK");
  dan.expect("SIP/2.0 488");
  dan.ack();
  drop("sip");
  ann.answer(ann.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Pickup, "P-11: An answered call is taken over: its far end answers the new one's offer") {
  bindings.all["sip:102@198.51.100.2:5060"] = {.flow = bob.flow, .request_uri = "sip:102@198.51.100.2:5060", .route = {}, .username = "104"};
  connect(ann, bob);
  door.sender.username = "104";
  dan.invite(sdp("dan"), fmt::format("Replaces: {};to-tag={};from-tag={}\r\n", bob.call_id, bob.remote_tag, bob.local_tag));
  const auto offer = ann.expect("INVITE");
  CHECK(split_origin(body(offer)).second == split_origin(sdp("dan")).second);
  bob.answer(bob.expect("BYE"), 200);
  ann.answer(offer, 200, sdp("ann"));
  ann.expect("ACK");
  const auto ok = dan.expect("SIP/2.0 200");
  CHECK(split_origin(body(ok)).second == split_origin(sdp("ann")).second);
  dan.take_answer(ok);
  dan.ack();
  ann.expect_nothing();
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  dan.answer(dan.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Pickup, "RFC 3891 §3: What cannot be replaced is refused, each with its code") {
  connect(ann, bob);
  door.sender.username = "104";
  const auto tag = bob.local_tag;
  CHECK(take(";early-only").starts_with("SIP/2.0 486"));
  dan.call_id += "1";
  bob.local_tag = "another";
  CHECK(take().starts_with("SIP/2.0 481"));
  bob.local_tag = tag;
  dan.call_id += "2";
  CHECK(take(";to-tag=again").starts_with("SIP/2.0 400"));
  dan.call_id += "3";
  door.sender = {Sender::Kind::anonymous, "", {}, {}};
  CHECK(take().starts_with("SIP/2.0 403"));
  CHECK(all("call.route").size() == 1);
  hang_up();
}

TEST_CASE_FIXTURE(Pickup, "P-11: Two calls that a script connects with chan.connect get one session; the legs left over end") {
  FarEnd carol{*this, "198.51.100.3:5060"};
  carol.name = "103";
  connect(ann, bob);
  route = [](BusMessage& message) {
    message.set_retvalue("sip/sip:103@198.51.100.3:5060");
    return true;
  };
  dan.invite(sdp("second"), {}, "sip:103@192.0.2.1");
  carol.answer(carol.take_invite(), 200, sdp("carol"));
  carol.expect("ACK");
  dan.take_answer(dan.expect("SIP/2.0 200"));
  dan.ack();
  BusMessage message(messages::kChanConnect);
  message.set("id", "sip/1").set("targetid", "sip/3").set("targetid_peer", "true").set("reason", "joined");
  CHECK(engine.dispatch(message).value_or(false));
  settle();
  joined(ann, carol);
  bob.answer(bob.expect("BYE"), 200);
  dan.answer(dan.expect("BYE"), 200);
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  carol.answer(carol.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Pickup, "P-11: A masqueraded call.execute takes an answered leg elsewhere") {
  FarEnd carol{*this, "198.51.100.3:5060"};
  connect(ann, bob);
  BusMessage message(messages::kChanMasquerade);
  message.set("id", "sip/1").set("message", "call.execute").set("callto", "sip/sip:103@198.51.100.3:5060").set("caller", "101").set("called", "103");
  message.set("sdp_raw", sdp("stale"));
  CHECK(engine.dispatch(message).value_or(false));
  settle();
  bob.answer(bob.expect("BYE"), 200);
  const auto invite = carol.take_invite();
  CHECK(split_origin(body(invite)).second == split_origin(sdp("stale")).second);
  carol.answer(invite, 200, sdp("carol"));
  carol.expect("ACK");
  const auto offer = ann.expect("INVITE");
  CHECK(split_origin(body(offer)).second == split_origin(sdp("carol")).second);
  SUBCASE("the caller agrees to what was promised in his name") { ann.answer(offer, 200, sdp("stale")); }
  SUBCASE("or to something else, which the other is then told") {
    ann.answer(offer, 200, sdp("fresh"));
    const auto again = carol.expect("INVITE");
    CHECK(split_origin(body(again)).second == split_origin(sdp("fresh")).second);
    carol.answer(again, 200, sdp("carol"));
    carol.expect("ACK");
  }
  ann.expect("ACK");
  ann.expect_nothing();
  carol.expect_nothing();
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  carol.answer(carol.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Pickup, "chan.control tells about a dialog and sets new limits") {
  connect(ann, bob);
  BusMessage query(messages::kChanControl);
  query.set("targetid", "sip/1").set("operation", "query");
  CHECK(engine.dispatch(query).value_or(false));
  CHECK(query.flag("operation-status"));
  CHECK(query.get("sip_uri") == "sip:101@198.51.100.1:5060");
  CHECK(query.get("sip_to").find("tag=" + ann.local_tag) != std::string_view::npos);
  CHECK(query.number("remote_cseq") == 1);

  BusMessage unknown(messages::kChanControl);
  unknown.set("targetid", "sip/1").set("operation", "sing");
  CHECK(engine.dispatch(unknown).value_or(false));
  CHECK_FALSE(unknown.flag("operation-status", true));
  BusMessage nobody(messages::kChanControl);
  nobody.set("targetid", "sip/99");
  CHECK_FALSE(engine.dispatch(nobody).value_or(true));

  BusMessage limit(messages::kChanControl);
  limit.set("targetid", "sip/1").set("timeout", "5000");
  CHECK(engine.dispatch(limit).value_or(false));
  engine.advance(5000ms);
  ann.answer(ann.expect("BYE"), 200);
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

}  // namespace
}  // namespace jackfield::sip::call
