// How a call finds its other leg, or does not: admission, call.preroute, call.route, call.execute, and what a route may say.
#include "two_phones.h"

namespace jackfield::sip::call {
namespace {

TEST_CASE_FIXTURE(TwoPhones, "Handlers of each of the three routing messages are listed for that message alone") {
  std::string at_execute;
  handle(messages::kCallExecute, [&](BusMessage& message) { at_execute = message.get("handlers"); return false; }, 10);
  auto tracked = engine.bus().install({.message = "call.route", .priority = 10, .track = "early"}, [](BusMessage&) { return false; });
  ann.invite(sdp("offer"));
  CHECK(at_execute.find("early") == std::string::npos);
  CHECK(all("call.route").at(0).at("handlers").starts_with("early:10"));
  ann.cancel();
  bob.answer(bob.take_invite(), 100);
  bob.answer(bob.last_invite, 487);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A call cancelled while its route waits is over, and the late verdict is dropped") {
  Pendings pendings(engine.timers());
  PendingId question = 0;
  route = [&](BusMessage& message) -> Verdict {
    auto wait = [](Pendings* all, PendingId* id, BusMessage* asked) -> Task<bool> {
      auto answer = all->open<bool>(1h);
      *id = answer.id();
      co_await answer.wait();
      asked->set_retvalue("sip/sip:102@198.51.100.2:5060");
      co_return true;
    };
    return wait(&pendings, &question, &message);
  };
  ann.invite(sdp("offer"));
  engine.advance(300ms);
  ann.expect("SIP/2.0 100");
  ann.cancel();
  ann.expect("SIP/2.0 200");
  ann.expect("SIP/2.0 487");
  ann.ack();
  CHECK(hangup("sip/1").at("cause_sip") == "487");
  pendings.complete<bool>(question, true);
  settle();
  bob.expect_nothing();
  CHECK(all("call.execute").empty());
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A handler that throws has not handled the message, and nothing is left of the call") {
  const auto thrower = [](BusMessage&) -> Verdict { throw std::runtime_error("no such table"); };
  SUBCASE("call.preroute: the call is routed") { handle(messages::kCallPreroute, thrower); }
  SUBCASE("call.execute: it goes on to the leg") { handle(messages::kCallExecute, thrower); }
  SUBCASE("call.ringing") { handle(messages::kCallRinging, thrower); }
  SUBCASE("call.route") {
    route = thrower;
    ann.invite(sdp("offer"));
    ann.expect("SIP/2.0 404");
    check_all_gone();
    return;
  }
  connect(ann, bob);
  drop("sip");
  ann.answer(ann.expect("BYE"), 200);
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A call.execute for a caller who is gone is refused, and no channel ends that never began") {
  BusMessage message(messages::kCallExecute);
  message.set("callto", "sip/sip:102@198.51.100.2:5060");
  message.attach(std::make_shared<ChannelHandle>(ChannelHandle{"sip/7"}));
  CHECK_FALSE(engine.bus().dispatch(message).handled());
  CHECK(message.get("error") == "nocall");
  settle();
  bob.expect_nothing();
  CHECK(all("chan.startup").empty());
  CHECK(all("chan.hangup").empty());
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A call whose route never says anything ends after maxcall, and the late verdict is dropped") {
  Pendings pendings(engine.timers());
  PendingId question = 0;
  route = [&](BusMessage& message) -> Verdict {
    static constexpr auto wait = [](Pendings* pendings, PendingId* question, BusMessage* message) -> Task<bool> {
      auto pending = pendings->open<bool>(3600s);
      *question = pending.id();
      co_await pending.wait();
      message->set_retvalue("sip/sip:102@198.51.100.2:5060");
      co_return true;
    };
    return wait(&pendings, &question, &message);
  };
  ann.invite(sdp("offer"));
  engine.advance(179s);
  CHECK(calls->legs() == 1);
  engine.advance(2s);
  ann.expect("SIP/2.0 480");
  CHECK(hangup("sip/1").at("reason") == "noanswer");
  pendings.complete<bool>(question, true);
  settle();
  bob.expect_nothing();
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A call.execute that waits for ever ends after maxcall, and so does a second way that never comes") {
  Pendings pendings(engine.timers());
  static constexpr auto wait = [](Pendings* pendings) -> Task<bool> {
    auto pending = pendings->open<bool>(3600s);
    co_await pending.wait();
    co_return false;
  };
  const auto waits = [&](BusMessage&) -> Verdict { return wait(&pendings); };
  SUBCASE("call.execute") { handle(messages::kCallExecute, waits); }
  SUBCASE("chan.disconnected of a call that could not be executed") {
    handle(messages::kChanDisconnected, waits);
    route = [](BusMessage& message) {
      message.set_retvalue("tone/dial");
      return true;
    };
  }
  ann.invite(sdp("offer"));
  engine.advance(179s);
  CHECK(calls->legs() == 1);
  engine.advance(2s);
  ann.expect("SIP/2.0 480");
  pendings.stop();
  bob.expect_nothing();
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A caller whose phone was refused does not wait for ever for a handler of chan.disconnected") {
  Pendings pendings(engine.timers());
  engine.channels().set_takeover_timeout(5s);
  handle(messages::kChanDisconnected, [&](BusMessage&) -> Verdict {
    static constexpr auto wait = [](Pendings* pendings) -> Task<bool> {
      auto pending = pendings->open<bool>(3600s);
      co_await pending.wait();
      co_return true;
    };
    return wait(&pendings);
  });
  ann.invite(sdp("offer"));
  bob.answer(bob.take_invite(), 486);
  bob.expect("ACK");
  ann.expect_nothing();
  engine.advance(7s);
  ann.expect("SIP/2.0 486");
  pendings.stop();
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A route that nobody knows is 404") {
  route = [](BusMessage&) { return false; };
  ann.invite(sdp("offer"));
  ann.expect("SIP/2.0 404");
  CHECK(hangup("sip/1").at("reason") == "noroute");
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "An empty route is no route, whoever handled it") {
  route = [](BusMessage&) { return true; };
  ann.invite(sdp("offer"));
  ann.expect("SIP/2.0 404");
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A route's error becomes the code of COMPAT's table") {
  const std::pair<std::string, int> table[] = {{"offline", 404}, {"busy", 486},     {"forbidden", 403}, {"congestion", 480}, {"incomplete", 484},
                                               {"timeout", 408}, {"failure", 500},  {"rejected", 406},  {"noanswer", 480},   {"unallocated", 410},
                                               {"nomedia", 415}, {"noconn", 503},   {"looping", 483},   {"unacceptable", 488}, {"some own text", 500}};
  for (const auto& [error, code] : table) {
    INFO(error);
    route = [&](BusMessage& message) {
      message.set_retvalue("-");
      message.set("error", error);
      return true;
    };
    ann.call_id = "call-" + error;
    ann.call_id.erase(std::remove(ann.call_id.begin(), ann.call_id.end(), ' '), ann.call_id.end());
    ann.invite(sdp("offer"));
    ann.expect(fmt::format("SIP/2.0 {}", code));
  }
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A route that wants to know who it is challenges") {
  door.sender = {};
  route = [](BusMessage& message) {
    message.set_retvalue("-");
    message.set("error", "noauth");
    return true;
  };
  ann.invite(sdp("offer"));
  ann.expect("SIP/2.0 401");
  CHECK(door.challenged == 1);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "Preroute may drop a call before it is routed") {
  handle(messages::kCallPreroute, [](BusMessage& message) {
    message.set_retvalue("-");
    message.set("error", "forbidden");
    return true;
  });
  ann.invite(sdp("offer"));
  ann.expect("SIP/2.0 403");
  CHECK(all("call.route").empty());
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A call whose hops are used up is looping") {
  ann.invite(sdp("offer"), "Max-Forwards: 1\r\n");
  ann.expect("SIP/2.0 483");
  bob.expect_nothing();
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "Whom admission refuses gets no leg and no record") {
  door.refuses = true;
  ann.invite(sdp("offer"));
  ann.expect("SIP/2.0 401");
  CHECK(seen.empty());
  CHECK(engine.channels().size() == 0);
}

TEST_CASE_FIXTURE(TwoPhones, "A target that no module serves is 404, unless somebody takes the call on") {
  route = [](BusMessage& message) {
    message.set_retvalue("tone/dial");
    return true;
  };
  SUBCASE("nobody does") {
    ann.invite(sdp("offer"));
    ann.expect("SIP/2.0 404");
    const auto told = all("chan.disconnected").at(0);
    CHECK(told.at("reroute") == "true");
    CHECK(told.at("error") == "noroute");
  }
  SUBCASE("a handler of chan.disconnected gives another reason") {
    handle(messages::kChanDisconnected, [](BusMessage& message) {
      message.set("error", "busy");
      return false;
    });
    ann.invite(sdp("offer"));
    ann.expect("SIP/2.0 486");
  }
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A route that leads back to us is 483 once its hops are used up") {
  route = [](BusMessage& message) {
    message.set_retvalue("sip/sip:102@192.0.2.1:5060");
    return true;
  };
  const stack::FlowId self{stack::address("192.0.2.1:5060")};
  std::deque<std::string> loop;
  network.on_send = [&, send = network.on_send](const stack::FlowId& flow, std::string_view bytes) {
    if (flow == self) loop.emplace_back(bytes);
    else send(flow, bytes);
  };
  ann.invite(sdp("offer"), "Max-Forwards: 5\r\n");
  for (; !loop.empty(); loop.pop_front()) {
    static_cast<stack::TransportEvents&>(transactions).message(self, loop.front());
    settle();
  }
  ann.expect("SIP/2.0 483");
  CHECK(all("call.execute").size() == 4);
  CHECK(all("chan.hangup").size() == all("chan.startup").size());
  for (int turn = 0; turn < 40; ++turn) {  // what the timers still send
    engine.advance(1s);
    for (; !loop.empty(); loop.pop_front()) static_cast<stack::TransportEvents&>(transactions).message(self, loop.front());
  }
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A route may say which listener a call leaves by") {
  core.listeners.push_back({.options = {.name = "second", .kind = stack::TransportKind::udp, .bind = stack::address("192.0.2.2:5060")}});
  std::string name;
  route = [&](BusMessage& message) {
    message.set_retvalue("sip/sip:102@198.51.100.2:5060");
    message.set("oconnection_id", name);
    return true;
  };
  std::optional<std::uint16_t> chosen;
  SUBCASE("") { name = "second", chosen = 2; }
  SUBCASE("of another kind: any") { name = "second", core.listeners[2].options.kind = stack::TransportKind::tcp; }
  SUBCASE("unknown: any") { name = "third"; }
  ann.invite(sdp("offer"));
  CHECK(network.preferred == chosen);
  bob.answer(bob.take_invite(), 486);
  ann.expect("SIP/2.0 486");
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A host name is refused with a sentence, as long as there is no resolver") {
  route = [](BusMessage& message) {
    message.set_retvalue("sip/sip:102@example.com");
    return true;
  };
  ann.invite(sdp("offer"));
  ann.expect("SIP/2.0 404");
  CHECK(all("call.execute").at(0).at("reason").find("example.com is a name") != std::string::npos);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A route adds headers, but none of those the stack writes") {
  route = [](BusMessage& message) {
    message.set_retvalue("sip/sip:102@198.51.100.2:5060");
    message.set("osip_X-Account", "77").set("osip_Via", "SIP/2.0/UDP evil").set("osip_Bad Name", "x").set("osip_X-Cut", "a\r\nVia: evil");
    message.set("domain", "example.org").set("callername", "Reception").set("caller", "900");
    return true;
  };
  ann.invite(sdp("offer"));
  const auto invite = bob.take_invite();
  CHECK(header(invite, "X-Account") == "77");
  CHECK(invite.find("SIP/2.0/UDP evil") == std::string::npos);
  CHECK(invite.find("Bad Name") == std::string::npos);
  CHECK(invite.find("\r\nVia: evil") == std::string::npos);
  CHECK(header(invite, "From").starts_with("\"Reception\" <sip:900@example.org>;tag="));
  ann.cancel();
  bob.answer(invite, 100);
  bob.answer(invite, 487);
  check_all_gone();
}

}  // namespace
}  // namespace jackfield::sip::call
