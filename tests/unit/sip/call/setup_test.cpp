// How a call is set up, or not: routing, ringing, the answer, and each way in which there is none.
#include "call_world.h"

namespace jackfield::sip::call {
namespace {

struct Fixture : CallWorld {
  FarEnd ann{*this, "198.51.100.1:5060"};
  FarEnd bob{*this, "198.51.100.2:5060"};
  Fixture() { bob.name = "102"; }

  /// Refuses Bob's INVITE and gives what Ann gets.
  std::string refuse(int code, const std::string& extra = {}) {
    ann.invite(sdp("offer"));
    bob.answer(bob.take_invite(), code, {}, {}, extra);
    bob.expect("ACK");
    auto answer = ann.expect("SIP/2.0");
    return answer;
  }
};

TEST_CASE_FIXTURE(Fixture, "A call rings, is answered and is ended by the caller") {
  ann.invite(sdp("offer"));
  const auto invite = bob.take_invite();
  CHECK(stack::first_line(invite) == "INVITE sip:102@198.51.100.2:5060 SIP/2.0");
  CHECK(header(invite, "From").starts_with("\"Ann \\\"A\\\"\" <sip:101@192.0.2.1>;tag="));
  CHECK(header(invite, "To") == "<sip:102@198.51.100.2:5060>");
  CHECK(header(invite, "Contact") == "<sip:101@192.0.2.1:5060>");
  CHECK(header(invite, "Max-Forwards") == "69");
  CHECK(header(invite, "Call-ID") != ann.call_id);
  CHECK(split_origin(body(invite)).second == split_origin(sdp("offer")).second);

  bob.answer(invite, 180);
  const auto ringing = ann.expect("SIP/2.0 180");
  CHECK(header(ringing, "Contact") == "<sip:102@192.0.2.1:5060>");
  bob.answer(invite, 200, sdp("answer"));
  bob.expect("ACK sip:102@198.51.100.2:5060");
  const auto ok = ann.expect("SIP/2.0 200");
  CHECK(tag_of(ok, "To") == tag_of(ringing, "To"));
  CHECK(split_origin(body(ok)).second == split_origin(sdp("answer")).second);
  ann.take_answer(ok);
  ann.ack();
  CHECK(engine.channels().size() == 2);

  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  const auto bye = bob.expect("BYE sip:102@198.51.100.2:5060");
  CHECK(header(bye, "CSeq") == "2 BYE");
  bob.answer(bye, 200);
  CHECK(engine.channels().size() == 0);
  CHECK(calls->legs() == 0);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "The bus sees a call in Yate's order, with its parameters") {
  connect(ann, bob);
  ann.request("BYE");
  bob.answer(bob.expect("BYE"), 200);

  std::vector<std::string> of_the_caller;
  for (const auto& one : seen)
    if (one.at("id") == "sip/1" && !one.name.starts_with("chan.connected") && !one.name.starts_with("chan.disc")) of_the_caller.push_back(one.name);
  CHECK(of_the_caller == std::vector<std::string>{"chan.startup", "call.preroute", "call.route", "call.execute", "chan.hangup"});
  std::vector<std::string> of_the_called;
  for (const auto& one : seen)
    if (one.at("id") == "sip/2" && !one.name.starts_with("chan.connected") && !one.name.starts_with("chan.disc")) of_the_called.push_back(one.name);
  CHECK(of_the_called == std::vector<std::string>{"chan.startup", "call.ringing", "call.answered", "call.drop", "chan.hangup"});

  for (const auto& startup : all("chan.startup")) {
    CHECK(startup.at("connection_id") == "general");
    CHECK(!startup.at("sip_callid").empty());
  }
  const auto route = all("call.route").at(0);
  CHECK(route.at("formats") == "mulaw");
  CHECK(route.at("rtp_addr") == "198.51.100.9");
  CHECK(route.at("rtp_port") == "4000");
  CHECK(route.at("caller") == "101");
  CHECK(route.at("called") == "102");
  CHECK(route.at("callername") == "Ann \"A\"");
  CHECK(route.at("username") == "101");
  CHECK(route.at("antiloop") == "69");
  CHECK(route.at("ip_host") == "198.51.100.1");
  CHECK(route.at("ip_port") == "5060");
  CHECK(route.at("address") == "198.51.100.1:5060");
  CHECK(route.at("sip_uri") == "sip:102@192.0.2.1");
  CHECK(route.at("sip_from") == "sip:101@192.0.2.1");
  CHECK(route.at("sip_callid") == ann.call_id);
  CHECK(route.at("sip_contact") == "<sip:101@198.51.100.1:5060>");
  CHECK(route.at("sdp_raw") == sdp("offer"));
  CHECK(route.at("direction") == "incoming");
  CHECK(route.at("billid") == all("call.answered").at(0).at("billid"));
  CHECK(route.at("rtp_forward") == "possible");
  CHECK(all("call.execute").at(0).at("rtp_forward") == "yes");
  CHECK(all("call.execute").at(0).at("callto") == "sip/sip:102@198.51.100.2:5060");
  const auto answered = all("call.answered").at(0);
  CHECK(answered.handled);
  CHECK(answered.at("peerid") == "sip/1");
  CHECK(answered.at("callid").starts_with("sip/"));
  CHECK(hangup("sip/1").at("status") == "answered");
  CHECK(hangup("sip/1").at("lastpeerid") == "sip/2");
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "Handlers of each of the three routing messages are listed for that message alone") {
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

TEST_CASE_FIXTURE(Fixture, "A caller who cancels while it rings gets 487, and the phone a CANCEL with his reason") {
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

TEST_CASE_FIXTURE(Fixture, "A phone that answers while its CANCEL is on the way is acknowledged and ended") {
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

TEST_CASE_FIXTURE(Fixture, "A call cancelled while its route waits is over, and the late verdict is dropped") {
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

TEST_CASE_FIXTURE(Fixture, "A handler that throws has not handled the message, and nothing is left of the call") {
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

TEST_CASE_FIXTURE(Fixture, "A call whose route never says anything ends after maxcall, and the late verdict is dropped") {
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

TEST_CASE_FIXTURE(Fixture, "Of a multipart body the session description goes on, at both ends") {
  ann.content_type = "multipart/mixed;boundary=\"part\"";
  ann.invite("--part\r\nContent-Type: text/plain\r\n\r\nhello\r\n--part\r\nContent-Type: application/sdp\r\n\r\n" + sdp("offer") + "\r\n--part--\r\n");
  const auto invite = bob.take_invite();
  CHECK(header(invite, "Content-Type") == "application/sdp");
  CHECK(split_origin(body(invite)).second == split_origin(sdp("offer")).second);
  CHECK(all("call.execute").front().at("sdp_raw") == sdp("offer"));
  bob.answer(invite, 486);
  ann.expect("SIP/2.0 486");
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "A body nobody reads is 415 before there is a leg, unless its sender calls it optional") {
  ann.content_type = "application/isup";
  SUBCASE("insisted on") {
    ann.invite("isup");
    CHECK(header(ann.expect("SIP/2.0 415"), "Accept") == kAccept);
    CHECK(seen.empty());
    CHECK(door.asked.empty());
  }
  SUBCASE("optional") {
    ann.invite("isup", "Content-Disposition: signal;handling=optional\r\n");
    const auto invite = bob.take_invite();
    CHECK(body(invite).empty());
    bob.answer(invite, 486);
    ann.expect("SIP/2.0 486");
  }
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "A call without any description, from either end, is acknowledged at once") {
  ann.invite({});
  const auto invite = bob.take_invite();
  bob.answer(invite, 200);
  bob.expect("ACK");
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();
  ann.request("BYE");
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "A route that nobody knows is 404") {
  route = [](BusMessage&) { return false; };
  ann.invite(sdp("offer"));
  ann.expect("SIP/2.0 404");
  CHECK(hangup("sip/1").at("reason") == "noroute");
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "An empty route is no route, whoever handled it") {
  route = [](BusMessage&) { return true; };
  ann.invite(sdp("offer"));
  ann.expect("SIP/2.0 404");
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "A route's error becomes the code of COMPAT's table") {
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

TEST_CASE_FIXTURE(Fixture, "A route that wants to know who it is challenges") {
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

TEST_CASE_FIXTURE(Fixture, "Preroute may drop a call before it is routed") {
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

TEST_CASE_FIXTURE(Fixture, "A call whose hops are used up is looping") {
  ann.invite(sdp("offer"), "Max-Forwards: 1\r\n");
  ann.expect("SIP/2.0 483");
  bob.expect_nothing();
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "Whom admission refuses gets no leg and no record") {
  door.refuses = true;
  ann.invite(sdp("offer"));
  ann.expect("SIP/2.0 401");
  CHECK(seen.empty());
  CHECK(engine.channels().size() == 0);
}

TEST_CASE_FIXTURE(Fixture, "A target that no module serves is 404, unless somebody takes the call on") {
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

TEST_CASE_FIXTURE(Fixture, "A route that leads back to us is 483 once its hops are used up") {
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

TEST_CASE_FIXTURE(Fixture, "A route may say which listener a call leaves by") {
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

TEST_CASE_FIXTURE(Fixture, "A host name is refused with a sentence, as long as there is no resolver") {
  route = [](BusMessage& message) {
    message.set_retvalue("sip/sip:102@example.com");
    return true;
  };
  ann.invite(sdp("offer"));
  ann.expect("SIP/2.0 404");
  CHECK(all("call.execute").at(0).at("reason").find("example.com is a name") != std::string::npos);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "A refusal keeps the phone's code, phrase and Q.850 cause") {
  const auto answer = refuse(486, "Reason: Q.850;cause=17;text=\"User busy\"\r\n");
  CHECK(stack::first_line(answer) == "SIP/2.0 486 Busy Here");
  CHECK(header(answer, "Reason") == "Q.850;cause=17;text=\"User busy\"");
  CHECK(hangup("sip/2").at("cause_sip") == "486");
  CHECK(hangup("sip/2").at("reason") == "busy");
  CHECK(hangup("sip/1").at("reason") == "busy");
  CHECK(hangup("sip/1").at("reason_sip") == "Busy Here");
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "A handler of chan.disconnected that gives another reason gives another code") {
  handle(messages::kChanDisconnected, [](BusMessage& message) {
    message.set("error", "congestion");
    return false;
  });
  CHECK(stack::first_line(refuse(486)).starts_with("SIP/2.0 480 "));
  CHECK(hangup("sip/1").at("reason") == "congestion");
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "Refusals reach the caller as D15 has them") {
  SUBCASE("a decline is a decline") { CHECK(refuse(603).starts_with("SIP/2.0 603 ")); }
  SUBCASE("a code without a text of its own passes") { CHECK(refuse(420).starts_with("SIP/2.0 420 ")); }
  SUBCASE("503 goes on as 500: it was about the phone's side, not ours") { CHECK(refuse(503).starts_with("SIP/2.0 500 ")); }
  SUBCASE("a challenge the caller cannot answer is 403") { CHECK(refuse(401).starts_with("SIP/2.0 403 ")); }
  SUBCASE("and so is a proxy's") { CHECK(refuse(407).starts_with("SIP/2.0 403 ")); }
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "A phone that never answers is 480 to the caller") {
  ann.invite(sdp("offer"));
  engine.advance(31s);
  CHECK(engine.channels().size() == 2);
  engine.advance(2s);
  ann.expect("SIP/2.0 480");
  CHECK(hangup("sip/2").at("reason") == "noanswer");
  bob.inbox.clear();
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "A phone whose connection breaks before it answers is 480 to the caller") {
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

TEST_CASE_FIXTURE(Fixture, "An unanswered call ends after maxcall, and the phone stops ringing") {
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

TEST_CASE_FIXTURE(Fixture, "A phone that neither rings nor plays anything within maxpdd is given up") {
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

TEST_CASE_FIXTURE(Fixture, "A ringing call repeats itself every minute to those on the way") {
  ring(ann, bob);
  engine.advance(61s);
  ann.expect("SIP/2.0 180");
  ann.expect_nothing();
  ann.cancel();
  bob.answer(bob.expect("CANCEL"), 200);
  bob.answer(bob.last_invite, 487);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "A caller whose connection breaks before the answer gets it over a new one, or the call ends") {
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

TEST_CASE_FIXTURE(Fixture, "181, 182 and 183 keep their meaning across the bus") {
  ann.invite(sdp("offer"));
  const auto invite = bob.take_invite();
  bob.answer(invite, 181);
  ann.expect("SIP/2.0 181");
  bob.answer(invite, 182);
  ann.expect("SIP/2.0 182");
  bob.answer(invite, 183, sdp("early"));
  const auto progress = ann.expect("SIP/2.0 183");
  CHECK(split_origin(body(progress)).second == split_origin(sdp("early")).second);
  CHECK(all("call.progress").at(2).at("earlymedia") == "yes");
  bob.answer(invite, 200, sdp("early"));
  const auto ok = ann.expect("SIP/2.0 200");
  CHECK(tag_of(ok, "To") == tag_of(progress, "To"));
  CHECK(body(ok) == body(progress));
  ann.take_answer(ok);
  ann.ack();
  drop("sip/1");
  ann.answer(ann.expect("BYE"), 200);
  bob.expect("ACK");
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "Of two phones behind one proxy, early media of the first alone reaches the caller, and no tag has two answers") {
  ann.invite(sdp("offer"));
  const auto invite = bob.take_invite();
  bob.answer(invite, 183, sdp("first"), "phone-a");
  const auto early = ann.expect("SIP/2.0 183");
  bob.answer(invite, 183, sdp("second"), "phone-b");
  ann.expect_nothing();
  bob.answer(invite, 200, sdp("second"), "phone-b");
  const auto ok = ann.expect("SIP/2.0 200");
  CHECK(split_origin(body(ok)).second == split_origin(sdp("second")).second);
  CHECK(tag_of(ok, "To") != tag_of(early, "To"));
  ann.take_answer(ok);
  ann.ack();
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  bob.expect("ACK");
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "With early_media=each every phone's early media reaches the caller under a tag of its own") {
  settings->call.early_media = EarlyMedia::each;
  ann.invite(sdp("offer"));
  const auto invite = bob.take_invite();
  bob.answer(invite, 183, sdp("first"), "phone-a");
  const auto first = ann.expect("SIP/2.0 183");
  bob.answer(invite, 183, sdp("second"), "phone-b");
  const auto second = ann.expect("SIP/2.0 183");
  CHECK(tag_of(first, "To") != tag_of(second, "To"));
  CHECK(split_origin(body(second)).second == split_origin(sdp("second")).second);
  SUBCASE("the answer comes under its phone's tag") {
    bob.answer(invite, 200, sdp("second"), "phone-b");
    const auto ok = ann.expect("SIP/2.0 200");
    CHECK(tag_of(ok, "To") == tag_of(second, "To"));
    CHECK(body(ok) == body(second));
    ann.take_answer(ok);
  }
  SUBCASE("an answer that differs from what was sent early gets a tag of its own") {
    bob.answer(invite, 200, sdp("third"), "phone-b");
    const auto ok = ann.expect("SIP/2.0 200");
    CHECK(tag_of(ok, "To") != tag_of(second, "To"));
    CHECK(tag_of(ok, "To") != tag_of(first, "To"));
    ann.take_answer(ok);
  }
  ann.ack();
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  bob.expect("ACK");
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "A 2xx that is repeated is acknowledged again, and told the caller once") {
  const auto invite = ring(ann, bob);
  bob.answer(invite, 200, sdp("answer"));
  const auto first = bob.expect("ACK");
  bob.answer(invite, 200, sdp("answer"));
  const auto again = bob.expect("ACK");
  CHECK(header(again, "CSeq") == header(first, "CSeq"));
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();
  ann.expect_nothing();
  drop("sip");
  ann.answer(ann.expect("BYE"), 200);
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "A second phone that answers the same INVITE is acknowledged and ended") {
  const auto invite = ring(ann, bob);
  bob.answer(invite, 200, sdp("answer"), "phone-a");
  bob.expect("ACK");
  bob.answer(invite, 200, sdp("answer"), "phone-b");
  CHECK(tag_of(bob.expect("ACK"), "To") == "phone-b");
  const auto bye = bob.expect("BYE");
  CHECK(tag_of(bye, "To") == "phone-b");
  bob.answer(bye, 200);
  CHECK(engine.channels().size() == 2);
  ann.take_answer(ann.expect("SIP/2.0 200"));
  ann.ack();
  ann.request("BYE");
  bob.answer(bob.expect("BYE"), 200);
  SUBCASE("also when the call is over already") {
    bob.answer(invite, 200, sdp("answer"), "phone-c");
    CHECK(tag_of(bob.expect("ACK"), "To") == "phone-c");
    bob.answer(bob.expect("BYE"), 200);
  }
  SUBCASE("") {}
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "An offer that comes with the answer is answered by the ACK, through both legs") {
  ann.invite({});
  const auto invite = bob.take_invite();
  CHECK(body(invite).empty());
  bob.answer(invite, 200, sdp("offer-of-bob"));
  bob.expect_nothing();  // its ACK needs Ann's answer
  const auto ok = ann.expect("SIP/2.0 200");
  CHECK(split_origin(body(ok)).second == split_origin(sdp("offer-of-bob")).second);
  ann.take_answer(ok);
  ann.ack(sdp("answer-of-ann"));
  const auto ack = bob.expect("ACK");
  CHECK(split_origin(body(ack)).second == split_origin(sdp("answer-of-ann")).second);
  bob.answer(invite, 200, sdp("offer-of-bob"));
  CHECK(body(bob.expect("ACK")) == body(ack));
  ann.request("BYE");
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "More legs than maxchans are refused with 503") {
  connect(ann, bob);
  settings->max_channels = 2;
  FarEnd carl{*this, "198.51.100.3:5060"};
  carl.invite(sdp("offer"));
  const auto refusal = carl.expect("SIP/2.0 503");
  CHECK(!header(refusal, "Retry-After").empty());
  settings->max_channels = 3;
  carl.call_id = "another";
  carl.invite(sdp("offer"));
  carl.expect("SIP/2.0 480");  // room for the caller's leg alone
  drop("");
  ann.answer(ann.expect("BYE"), 200);
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "Media modules see each description before it goes on, and may replace it") {
  std::vector<std::string> steps;
  const auto replace = [&](BusMessage& message) {
    steps.push_back(std::string(message.name()) + " " + std::string(message.get("id")));
    auto text = std::string(message.get("sdp_raw"));
    message.set("sdp_raw", text.replace(text.find("4000"), 4, "6000"));
    return true;
  };
  handle(messages::kMediaOffer, replace);
  handle(messages::kMediaAnswer, replace);
  ann.invite(sdp("offer"));
  const auto invite = bob.take_invite();
  CHECK(body(invite).find("m=audio 6000") != std::string::npos);
  bob.answer(invite, 200, sdp("answer"));
  const auto ok = ann.expect("SIP/2.0 200");
  CHECK(body(ok).find("m=audio 6000") != std::string::npos);
  CHECK(steps == std::vector<std::string>{"media.offer sip/2", "media.answer sip/1"});
  ann.take_answer(ok);
  ann.ack();
  ann.request("BYE");
  bob.expect("ACK");
  bob.answer(bob.expect("BYE"), 200);
  CHECK(all("media.release").size() == 2);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "A media module that refuses the offer ends the call with 488") {
  handle(messages::kMediaOffer, [](BusMessage& message) {
    message.set("error", "nomedia");
    return true;
  });
  ann.invite(sdp("offer"));
  ann.expect("SIP/2.0 488");
  bob.expect_nothing();
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "A route adds headers, but none of those the stack writes") {
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
