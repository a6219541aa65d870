// call.update with operation=transfer: a far end is asked to call somebody else, and says how that goes (P-11).
#include "connection_table.h"

namespace jackfield::sip::call {
namespace {

struct Referring : TwoPhones {
  std::string bobs_leg;
  std::string error;
  void up() {
    connect(ann, bob);
    bobs_leg = all("call.answered").at(0).at("id");
  }
  /// Somebody wants Bob to call another number.
  bool transfer(const std::map<std::string, std::string>& parameters = {{"called", "105"}}) {
    BusMessage message(messages::kCallUpdate);
    message.set("id", "script/1").set("peerid", bobs_leg).set("operation", "transfer");
    for (const auto& [name, value] : parameters) message.set(name, value);
    const bool handled = engine.bus().dispatch(message).handled();
    error = message.get("error");
    settle();
    return handled;
  }
  void report(const std::string& line, const std::string& state, const std::string& event = "refer") {
    bob.content_type = "message/sipfrag;version=2.0";
    bob.request("NOTIFY", line + "\r\n", "Event: " + event + "\r\nSubscription-State: " + state + "\r\n");
    bob.content_type = "application/sdp";
  }
  Seen outcome() {
    REQUIRE(all("chan.notify").size() == 1);
    return all("chan.notify").at(0);
  }
};

TEST_CASE_FIXTURE(Referring, "P-11 call.update operation=transfer is a REFER; when its NOTIFY says 200 the leg ends, and whoever asked hears it") {
  up();
  std::map<std::string, std::string> where{{"called", "10 5"}};
  std::string uri = "<sip:10%205@198.51.100.2>";
  SUBCASE("a number, at the server it knows") { uri = "<sip:10%205@192.0.2.1>"; }
  SUBCASE("a URI") { where = {{"calleduri", "sip:900@far.example;transport=tcp"}}, uri = "<sip:900@far.example;transport=tcp>"; }
  REQUIRE(transfer(where));
  const auto refer = bob.expect("REFER sip:102@198.51.100.2:5060");
  CHECK(header(refer, "Refer-To") == uri);
  CHECK(header(refer, "Referred-By").starts_with("<sip:101@"));
  CHECK(!header(refer, "Contact").empty());
  CHECK_FALSE(transfer());
  CHECK(error == "pending");
  bob.answer(refer, 202);
  report("SIP/2.0 100 Trying", "active;expires=60");
  bob.expect("SIP/2.0 200");
  CHECK(all("chan.notify").empty());
  bob.expect_nothing();
  report("SIP/2.0 200 OK", "terminated;reason=noresource", "refer;id=2");
  bob.expect("SIP/2.0 200");
  CHECK(outcome().at("targetid") == "script/1");
  CHECK(outcome().at("id") == bobs_leg);
  CHECK(outcome().at("reason") == "transferred");
  CHECK(outcome().at("cause_sip") == "200");
  bob.answer(bob.expect("BYE"), 200);
  CHECK(hangup(bobs_leg).at("reason") == "transferred");
  ann.answer(ann.expect("BYE"), 200);
  CHECK(calls->referrals() == 0);
  check_all_gone();
}

TEST_CASE_FIXTURE(Referring, "P-11 A transfer that fails is told with its code, and the call goes on") {
  up();
  REQUIRE(transfer());
  const auto refer = bob.expect("REFER");
  std::string reason = "busy", cause = "486";
  SUBCASE("by NOTIFY") {
    bob.answer(refer, 202);
    report("SIP/2.0 486 Busy Here", "terminated;reason=noresource");
    bob.expect("SIP/2.0 200");
    CHECK(outcome().at("reason_sip") == "Busy Here");
  }
  SUBCASE("by an end that says nothing") {
    reason = "noanswer", cause = "480";
    bob.answer(refer, 202);
    report("", "terminated;reason=timeout");
    bob.expect("SIP/2.0 200");
  }
  SUBCASE("by a refusal") {
    reason = "forbidden", cause = "603";
    bob.answer(refer, 603);
  }
  SUBCASE("by silence") {
    reason = "noconn", cause = "408";
    SUBCASE("of the REFER") { engine.advance(33s); }
    SUBCASE("of the outcome") {
      bob.answer(refer, 202);
      engine.advance(179s);
      CHECK(all("chan.notify").empty());
      engine.advance(1s);
    }
    bob.inbox.clear();
  }
  CHECK(outcome().at("reason") == reason);
  CHECK(outcome().at("cause_sip") == cause);
  CHECK(calls->referrals() == 0);
  REQUIRE(transfer());  // and may be tried again
  bob.expect("REFER");
  hang_up();
  CHECK(calls->referrals() == 0);
}

TEST_CASE_FIXTURE(Referring, "P-11 What cannot be transferred says why; a NOTIFY nobody asked for is none of ours") {
  up();
  report("SIP/2.0 200 OK", "terminated;reason=noresource");
  bob.expect("SIP/2.0 405");
  CHECK_FALSE(transfer({}));
  CHECK(error == "incomplete");
  CHECK_FALSE(transfer({{"calleduri", "no uri"}}));
  CHECK(error == "incomplete");
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  CHECK_FALSE(transfer());
  bob.answer(bob.expect("BYE"), 200);
  bob.expect_nothing();
  check_all_gone();
}

TEST_CASE_FIXTURE(OverLine, "ZY-6 A REFER over a connection is proved as its other requests are") {
  ann.invite(sdp("offer"));
  answer_at(main);
  BusMessage message(messages::kCallUpdate);
  message.set("peerid", all("call.answered").at(0).at("id")).set("operation", "transfer").set("called", "105");
  REQUIRE(engine.bus().dispatch(message).handled());
  settle();
  main.answer(main.expect("REFER"), 407, {}, {}, "Proxy-Authenticate: Digest realm=\"up\", nonce=\"one\", qop=\"auth\"\r\n");
  const auto proved = main.expect("REFER");
  CHECK(header(proved, "Proxy-Authorization").find("username=\"jack\"") != std::string::npos);
  CHECK(header(proved, "Refer-To") == "<sip:105@203.0.113.1>");
  main.answer(proved, 202);
  hang_up_at(main);
}

TEST_CASE_FIXTURE(TwoPhones, "call.update operation=initiate offers a session of somebody's own, and the answer comes back as notify") {
  connect(ann, bob);
  BusMessage message(messages::kCallUpdate);
  message.set("peerid", all("call.answered").at(0).at("id")).set("operation", "initiate").set("sdp_raw", sdp("own"));
  REQUIRE(engine.bus().dispatch(message).handled());
  settle();
  const auto offered = bob.expect("INVITE");
  CHECK(split_origin(body(offered)).second == split_origin(sdp("own")).second);
  bob.answer(offered, 200, sdp("agreed"));
  bob.expect("ACK");
  const auto told = all("call.update").back();
  CHECK(told.at("operation") == "notify");
  CHECK(told.at("sdp_raw").find("agreed") != std::string::npos);
  hang_up();
}

}  // namespace
}  // namespace jackfield::sip::call
