// How a call ends that nobody answered: cancelled, refused, not picked up, cut off.
#include "two_phones.h"

namespace jackfield::sip::call {
namespace {

TEST_CASE_FIXTURE(TwoPhones, "A caller who cancels while it rings gets 487, and the phone a CANCEL with his reason") {
  ring(ann, bob);
  ann.cancel("Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n");
  ann.expect("SIP/2.0 200");
  ann.expect("SIP/2.0 487");
  ann.ack();
  const auto cancel = bob.expect("CANCEL");
  CHECK(header(cancel, "Reason") == "SIP;cause=200;text=\"Call completed elsewhere\"");
  bob.answer(cancel, 200);
  bob.answer(bob.last_invite, 487);
  bob.expect("ACK");
  CHECK(hangup("sip/1").at("reason") == "Cancelled");
  CHECK(hangup("sip/2").at("reason") == "Cancelled");
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A phone that answers while its CANCEL is on the way is acknowledged and ended") {
  const auto invite = ring(ann, bob);
  ann.cancel();
  const auto cancel = bob.expect("CANCEL");
  CHECK(header(cancel, "Reason").empty());
  bob.answer(invite, 200, sdp("answer"));
  bob.answer(cancel, 200);
  bob.expect("ACK");
  bob.answer(bob.expect("BYE"), 200);
  bob.expect_nothing();
  CHECK(calls->legs() == 0);
  CHECK(all("call.answered").empty());
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A refusal keeps the phone's code, phrase and Q.850 cause") {
  const auto answer = refuse(486, "Reason: Q.850;cause=17;text=\"User busy\"\r\n");
  CHECK(stack::first_line(answer) == "SIP/2.0 486 Busy Here");
  CHECK(header(answer, "Reason") == "Q.850;cause=17;text=\"User busy\"");
  CHECK(hangup("sip/2").at("cause_sip") == "486");
  CHECK(hangup("sip/2").at("reason") == "busy");
  CHECK(hangup("sip/1").at("reason") == "busy");
  CHECK(hangup("sip/1").at("reason_sip") == "Busy Here");
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A handler of chan.disconnected that gives another reason gives another code") {
  handle(messages::kChanDisconnected, [](BusMessage& message) {
    message.set("error", "congestion");
    return false;
  });
  CHECK(stack::first_line(refuse(486)).starts_with("SIP/2.0 480 "));
  CHECK(hangup("sip/1").at("reason") == "congestion");
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "Refusals reach the caller as D15 has them") {
  SUBCASE("a decline is a decline") { CHECK(refuse(603).starts_with("SIP/2.0 603 ")); }
  SUBCASE("a code without a text of its own passes") { CHECK(refuse(420).starts_with("SIP/2.0 420 ")); }
  SUBCASE("503 goes on as 500: it was about the phone's side, not ours") { CHECK(refuse(503).starts_with("SIP/2.0 500 ")); }
  SUBCASE("a challenge the caller cannot answer is 403") { CHECK(refuse(401).starts_with("SIP/2.0 403 ")); }
  SUBCASE("and so is a proxy's") { CHECK(refuse(407).starts_with("SIP/2.0 403 ")); }
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A phone that never answers is 480 to the caller") {
  ann.invite(sdp("offer"));
  engine.advance(31s);
  CHECK(engine.channels().size() == 2);
  engine.advance(2s);
  ann.expect("SIP/2.0 480");
  CHECK(hangup("sip/2").at("reason") == "noanswer");
  bob.inbox.clear();
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A phone whose connection breaks before it answers is 480 to the caller") {
  FarEnd carl{*this, "198.51.100.3:5060", 7};
  bindings.all["102@198.51.100.3:5060"] = {carl.flow, "sip:102@10.0.0.3:5060;transport=tcp", {"<sip:edge.example;lr>"}};
  route = [](BusMessage& message) {
    message.set_retvalue("sip/102@198.51.100.3:5060");
    return true;
  };
  ann.invite(sdp("offer"));
  const auto invite = carl.take_invite();
  CHECK(stack::first_line(invite) == "INVITE sip:102@10.0.0.3:5060;transport=tcp SIP/2.0");
  CHECK(header(invite, "Route") == "<sip:edge.example;lr>");
  CHECK(header(invite, "To") == "<sip:102@192.0.2.1>");
  CHECK(header(invite, "Contact") == "<sip:101@192.0.2.1:5060;transport=tcp>");
  CHECK(network.holds.at("198.51.100.3:5060") == 1);
  close(carl.flow);
  ann.expect("SIP/2.0 480");
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "An unanswered call ends after maxcall, and the phone stops ringing") {
  SUBCASE("the server's own") {
    ring(ann, bob);
    engine.advance(178900ms);
    CHECK(engine.channels().size() == 2);
    engine.advance(1200ms);
  }
  SUBCASE("the route's") {
    route = [](BusMessage& message) {
      message.set_retvalue("sip/sip:102@198.51.100.2:5060");
      message.set("maxcall", "2000");
      return true;
    };
    ring(ann, bob);
    engine.advance(2100ms);
  }
  while (ann.inbox.front().starts_with("SIP/2.0 180")) ann.inbox.pop_front();
  ann.expect("SIP/2.0 480");
  bob.answer(bob.expect("CANCEL"), 200);
  bob.answer(bob.last_invite, 487);
  bob.expect("ACK");
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A phone that neither rings nor plays anything within maxpdd is given up") {
  route = [](BusMessage& message) {
    message.set_retvalue("sip/sip:102@198.51.100.2:5060");
    message.set("maxpdd", "3000");
    return true;
  };
  ann.invite(sdp("offer"));
  bob.answer(bob.take_invite(), 100);
  engine.advance(3100ms);
  ann.expect("SIP/2.0 504");
  bob.answer(bob.expect("CANCEL"), 200);
  bob.answer(bob.last_invite, 487);
  bob.expect("ACK");
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A caller whose connection breaks before the answer gets it over a new one, or the call ends") {
  FarEnd carl{*this, "198.51.100.3:5060", 7};
  carl.name = "103";
  const auto invite = ring(carl, bob);
  close(carl.flow);
  CHECK(engine.channels().size() == 2);
  SUBCASE("he is reached") {
    bob.answer(invite, 200, sdp("answer"));
    carl.take_answer(carl.expect("SIP/2.0 200"));
    carl.flow.connection = network.last_connection;
    carl.ack();
    carl.request("BYE");
    carl.expect("SIP/2.0 200");
  }
  SUBCASE("he is not") {
    network.can_connect = false;
    bob.answer(invite, 200, sdp("answer"));
    engine.advance(33s);
    CHECK(hangup("sip/1").at("reason") == "noack");
  }
  SUBCASE("drop_on_close is Yate's way") {
    settings->call.drop_on_close = true;
    static_cast<stack::TransportEvents&>(transactions).closed(carl.flow, "gone");
    settle();
    bob.expect("CANCEL");
    CHECK(hangup("sip/1").at("reason") == "notransport");
    bob.answer(invite, 487);
    check_all_gone();
    return;
  }
  bob.expect("ACK");
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "An offer that nobody answers ends the call once its phone has given up on the ACK") {
  struct Mute final : Channel {
    explicit Mute(ChannelTable& table) : Channel(table.next_id("mute"), "mute", ChannelDirection::incoming), table_(table) { table_.add(*this); }
    ~Mute() override { table_.remove(*this); }
    ChannelTable& table_;
  };
  auto mute = std::make_unique<Mute>(engine.channels());
  BusMessage execute(messages::kCallExecute);
  execute.set("callto", "sip/sip:102@198.51.100.2:5060").set("caller", "900");
  execute.attach(std::make_shared<ChannelHandle>(ChannelHandle{mute->id()}));
  CHECK(engine.bus().dispatch(execute).handled());
  settle();
  bob.answer(bob.take_invite(), 200, sdp("bob"));
  engine.advance(35s);
  bob.expect_nothing();
  engine.advance(1s);
  bob.expect("ACK");
  bob.answer(bob.expect("BYE"), 200);
  CHECK(hangup("sip/1").at("reason") == "unacceptable");
  mute.reset();
  check_all_gone();
}

}  // namespace
}  // namespace jackfield::sip::call
