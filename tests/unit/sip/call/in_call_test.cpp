// What happens within an answered call: hanging up from either side, holding, glare, lost messages, requests from elsewhere.
#include "call_world.h"

namespace jackfield::sip::call {
namespace {

struct Fixture : CallWorld {
  FarEnd ann{*this, "198.51.100.1:5060"};
  FarEnd bob{*this, "198.51.100.2:5060"};
  Fixture() { bob.name = "102"; }

  void hang_up() {
    ann.request("BYE");
    ann.expect("SIP/2.0 200");
    bob.answer(bob.expect("BYE"), 200);
    ann.expect_nothing();
    bob.expect_nothing();
    check_all_gone();
  }
};

TEST_CASE_FIXTURE(Fixture, "The called side hangs up, and its reason travels") {
  connect(ann, bob);
  bob.request("BYE", {}, "Reason: Q.850;cause=16;text=\"Normal\"\r\n");
  bob.expect("SIP/2.0 200");
  const auto bye = ann.expect("BYE sip:101@198.51.100.1:5060");
  CHECK(header(bye, "Reason") == "Q.850;cause=16;text=\"Normal\"");
  ann.answer(bye, 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "BYEs that cross are both answered 200") {
  connect(ann, bob);
  network.log.clear();
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  const auto bye = bob.expect("BYE");
  bob.request("BYE");
  bob.expect("SIP/2.0 200");
  bob.answer(bye, 200);
  CHECK(all("chan.hangup").size() == 2);
  CHECK(calls->legs() == 0);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "A BYE that nobody answers is given up, and nothing is left of the call") {
  connect(ann, bob);
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  CHECK(engine.channels().size() == 0);
  CHECK(calls->legs() == 1);
  engine.advance(33s);
  CHECK(calls->legs() == 0);
  bob.inbox.clear();
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "Hold and resume pass from the caller to the called") {
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

TEST_CASE_FIXTURE(Fixture, "And from the called to the caller") {
  connect(ann, bob);
  bob.request("INVITE", sdp("hold"));
  const auto invite = ann.expect("INVITE sip:101@198.51.100.1:5060");
  ann.answer(invite, 200, sdp("held"));
  ann.expect("ACK");
  CHECK(split_origin(body(bob.expect("SIP/2.0 200"))).second == split_origin(sdp("held")).second);
  bob.ack();
  hang_up();
}

TEST_CASE_FIXTURE(Fixture, "Towards each side a session keeps its id, and its version rises by one when the body changes") {
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

TEST_CASE_FIXTURE(Fixture, "A refused re-INVITE leaves the call up") {
  connect(ann, bob);
  ann.request("INVITE", sdp("video"));
  bob.answer(bob.expect("INVITE"), 488);
  bob.expect("ACK");
  ann.expect("SIP/2.0 488");
  ann.ack();
  CHECK(engine.channels().size() == 2);
  hang_up();
}

TEST_CASE_FIXTURE(Fixture, "A re-INVITE answered 481, or by silence, ends the call") {
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

TEST_CASE_FIXTURE(Fixture, "Re-INVITEs that cross get 491") {
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

TEST_CASE_FIXTURE(Fixture, "A re-INVITE that is cancelled is cancelled at the other end too, whose answer decides") {
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

TEST_CASE_FIXTURE(Fixture, "A re-INVITE whose other end is no SIP leg and cannot take it back is 487 at once") {
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

TEST_CASE_FIXTURE(Fixture, "A 2xx that is repeated after a re-INVITE has left is acknowledged, and ends nothing") {
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

TEST_CASE_FIXTURE(Fixture, "A re-INVITE with a body nobody reads is 415 and changes nothing") {
  connect(ann, bob);
  ann.content_type = "text/plain";
  ann.request("INVITE", "hello");
  CHECK(header(ann.expect("SIP/2.0 415"), "Accept") == kAccept);
  bob.expect_nothing();
  hang_up();
}

TEST_CASE_FIXTURE(Fixture, "A second re-INVITE before the first is answered gets 500") {
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

TEST_CASE_FIXTURE(Fixture, "A re-INVITE without an offer is answered with one, which the ACK answers") {
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

TEST_CASE_FIXTURE(Fixture, "A re-INVITE that waits is answered 487 when the call ends under it") {
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

TEST_CASE_FIXTURE(Fixture, "The Contact of a re-INVITE becomes where requests go") {
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

TEST_CASE_FIXTURE(Fixture, "An answer that is never acknowledged ends the call with BYE") {
  const auto invite = ring(ann, bob);
  bob.answer(invite, 200, sdp("answer"));
  ann.take_answer(ann.expect("SIP/2.0 200"));
  engine.advance(31s);
  CHECK(engine.channels().size() == 2);
  engine.advance(2s);
  CHECK(hangup("sip/1").at("reason") == "noack");
  while (!ann.inbox.empty() && ann.inbox.front().starts_with("SIP/2.0 200")) ann.inbox.pop_front();
  ann.answer(ann.expect("BYE"), 200);
  bob.expect("ACK");
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "The called side hangs up before the caller's ACK: his BYE waits for it") {
  const auto invite = ring(ann, bob);
  bob.answer(invite, 200, sdp("answer"));
  bob.expect("ACK");
  ann.take_answer(ann.expect("SIP/2.0 200"));
  bob.request("BYE");
  bob.expect("SIP/2.0 200");
  ann.expect_nothing();
  CHECK(engine.channels().size() == 0);
  SUBCASE("it comes") { ann.ack(); }
  SUBCASE("it never does") {
    engine.advance(33s);
    while (!ann.inbox.empty() && ann.inbox.front().starts_with("SIP/2.0 200")) ann.inbox.pop_front();
  }
  SUBCASE("his own BYE comes instead") {
    ann.request("BYE");
    ann.expect("SIP/2.0 200");
    ann.expect_nothing();
    CHECK(calls->legs() == 0);
    check_all_gone();
    return;
  }
  ann.answer(ann.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "A caller may end his call with BYE before it is answered") {
  ring(ann, bob);
  ann.remote_tag = all("call.ringing").empty() ? "" : all("call.route").at(0).at("callid").substr(all("call.route").at(0).at("callid").rfind('/') + 1);
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  ann.expect("SIP/2.0 487");
  bob.answer(bob.expect("CANCEL"), 200);
  bob.answer(bob.last_invite, 487);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "Requests within a call that we serve, and those that we do not yet") {
  connect(ann, bob);
  const std::pair<std::string, int> plain[] = {{"OPTIONS", 200}, {"INFO", 200}, {"UPDATE", 405}, {"REFER", 405}, {"PRACK", 405}, {"MESSAGE", 405}, {"WHATEVER", 501}};
  for (const auto& [method, code] : plain) {
    INFO(method);
    ann.request(method);
    const auto answer = ann.expect(fmt::format("SIP/2.0 {}", code));
    if (code != 200 || method == "OPTIONS") CHECK(header(answer, "Allow") == kAllow);
  }
  ann.request("INFO", "Signal=5");
  ann.expect("SIP/2.0 415");
  bob.expect_nothing();
  hang_up();
}

TEST_CASE_FIXTURE(Fixture, "Requests out of order, and for dialogs that are not, are refused") {
  connect(ann, bob);
  ann.cseq = 5;
  ann.request("OPTIONS");
  ann.expect("SIP/2.0 200");
  ann.cseq = 3;
  ann.request("OPTIONS");
  ann.expect("SIP/2.0 500");
  ann.cseq = 10;
  const auto tag = std::exchange(ann.remote_tag, "unknown");
  ann.request("BYE");
  ann.expect("SIP/2.0 481");
  ann.remote_tag = tag;
  const auto own = std::exchange(ann.local_tag, "another");
  ann.request("BYE");
  ann.expect("SIP/2.0 481");
  ann.local_tag = own;
  hang_up();
}

TEST_CASE_FIXTURE(Fixture, "A request of a known dialog from elsewhere needs credentials, and then the same user") {
  connect(ann, bob);
  door.asked.clear();
  ann.request("OPTIONS");
  ann.expect("SIP/2.0 200");
  CHECK(door.asked.empty());

  FarEnd thief{*this, "203.0.113.66:5060"};
  thief.call_id = ann.call_id, thief.local_tag = ann.local_tag, thief.remote_tag = ann.remote_tag;
  thief.local = ann.local, thief.remote = ann.remote, thief.target = ann.target, thief.cseq = 20;
  SUBCASE("without them it is 401") {
    door.refuses = true;
    thief.request("BYE");
    thief.expect("SIP/2.0 401");
    bob.expect_nothing();
    door.refuses = false;
    hang_up();
  }
  SUBCASE("as another user it is 403") {
    door.sender.username = "999";
    thief.request("BYE");
    thief.expect("SIP/2.0 403");
    bob.expect_nothing();
    hang_up();
  }
  SUBCASE("as the same user it is served, and the dialog follows him") {
    thief.request("OPTIONS");
    thief.expect("SIP/2.0 200");
    CHECK(door.asked == std::vector<std::string>{"OPTIONS"});
    bob.request("BYE");
    thief.answer(thief.expect("BYE"), 200);
    check_all_gone();
  }
}

TEST_CASE_FIXTURE(Fixture, "With auth_dialog every request within an authenticated call is asked for credentials") {
  settings->call.auth_dialog = true;
  connect(ann, bob);
  door.asked.clear();
  ann.request("OPTIONS");
  ann.expect("SIP/2.0 200");
  CHECK(door.asked == std::vector<std::string>{"OPTIONS"});
  hang_up();
}

TEST_CASE_FIXTURE(Fixture, "A call of nobody in particular is served from wherever its tags come") {
  door.sender = {Sender::Kind::trusted, {}, {}, {}};
  connect(ann, bob);
  door.asked.clear();
  ann.flow.remote = stack::address("203.0.113.5:5060");
  ann.request("OPTIONS");
  CHECK(door.asked.empty());
  ann.flow.remote = stack::address("198.51.100.1:5060");
  hang_up();
}

TEST_CASE_FIXTURE(Fixture, "An answered call outlives its connection: the next request takes the phone's newest one") {
  FarEnd carl{*this, "198.51.100.3:5060", 7};
  carl.name = "102";
  bindings.all["102@198.51.100.3:5060"] = {carl.flow, "sip:102@10.0.0.3:5060;transport=tcp", {}, Device{"102", "key"}};
  route = [](BusMessage& message) {
    message.set_retvalue("sip/102@198.51.100.3:5060");
    return true;
  };
  connect(ann, carl);
  close(carl.flow);
  CHECK(engine.channels().size() == 2);
  SUBCASE("where it registered again") {
    FarEnd again{*this, "198.51.100.3:6000", 9};
    bindings.connections["102"] = again.flow;
    ann.request("BYE");
    again.answer(again.expect("BYE"), 200);
  }
  SUBCASE("or one to where its Contact points") {
    ann.request("BYE");
    carl.flow.connection = network.last_connection;
    carl.answer(carl.expect("BYE"), 200);
  }
  SUBCASE("or none, and then nothing hangs about") {
    network.can_connect = false;
    ann.request("BYE");
    ann.expect("SIP/2.0 200");
  }
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "So does a caller's") {
  FarEnd carl{*this, "198.51.100.3:40000", 7}, again{*this, "198.51.100.3:40001", 8};
  bindings.connections["101"] = carl.flow;
  connect(carl, bob);
  close(carl.flow);
  bindings.connections["101"] = again.flow;
  bob.request("BYE");
  again.answer(again.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "A call ends after its timeout, answered or not") {
  route = [](BusMessage& message) {
    message.set_retvalue("sip/sip:102@198.51.100.2:5060");
    message.set("timeout", "5000");
    return true;
  };
  connect(ann, bob);
  engine.advance(5100ms);
  ann.answer(ann.expect("BYE"), 200);
  bob.answer(bob.expect("BYE"), 200);
  CHECK(hangup("sip/1").at("reason") == "timeout");
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "call.drop ends one leg, all of the driver, or all") {
  connect(ann, bob);
  SUBCASE("one") { drop("sip/2", "because"); }
  SUBCASE("the driver's") { drop("sip"); }
  SUBCASE("all") { drop(""); }
  SUBCASE("but not another's") {
    drop("fork/1");
    CHECK_FALSE(all("call.drop").at(0).handled);
    return hang_up();
  }
  CHECK(all("call.drop").at(0).handled == !all("call.drop").at(0).at("id").empty());
  ann.answer(ann.expect("BYE"), 200);
  bob.answer(bob.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "Draining waits for an ACK that is due, and sends the BYE before it is cut off") {
  const auto invite = ring(ann, bob);
  bob.answer(invite, 200, sdp("answer"));
  bob.expect("ACK");
  ann.take_answer(ann.expect("SIP/2.0 200"));
  engine.spawn("drain", calls->drain());
  settle();
  bob.answer(bob.expect("BYE"), 200);
  for (int repeats = 0; repeats < 2; ++repeats) {
    engine.advance(500ms);
    while (!ann.inbox.empty() && ann.inbox.front().starts_with("SIP/2.0 200")) ann.inbox.pop_front();
  }
  engine.advance(100ms);
  ann.answer(ann.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "A drain that was cut off touches nothing when it comes back") {
  connect(ann, bob);
  engine.spawn("drain", calls->drain());
  settle();
  REQUIRE(engine.core().running_tasks() == 1);
  calls.reset();
  settle();
  CHECK(engine.core().running_tasks() == 0);
}

TEST_CASE_FIXTURE(Fixture, "Draining ends answered calls with BYE, ringing ones with 503 and CANCEL, and waits for the far ends") {
  connect(ann, bob);
  FarEnd carl{*this, "198.51.100.3:5060"}, dora{*this, "198.51.100.4:5060"};
  route = [](BusMessage& message) {
    message.set_retvalue("sip/sip:104@198.51.100.4:5060");
    return true;
  };
  ring(carl, dora);
  bool done = false;
  engine.spawn("drain", [](Calls* calls, bool* finished) -> Task<> {
    co_await calls->drain();
    *finished = true;
  }(&*calls, &done));
  settle();
  CHECK_FALSE(done);
  CHECK(all("chan.hangup").size() == 4);
  CHECK(!header(carl.expect("SIP/2.0 503"), "Retry-After").empty());
  dora.answer(dora.expect("CANCEL"), 200);
  dora.answer(dora.last_invite, 487);
  ann.answer(ann.expect("BYE"), 200);
  CHECK_FALSE(done);
  SUBCASE("all answer") {
    bob.answer(bob.expect("BYE"), 200);
    settle();
    CHECK(done);
  }
  SUBCASE("one does not: less than a second is all it gets") {
    engine.advance(900ms);
    CHECK(done);
  }
  check_all_gone();
}

TEST_CASE_FIXTURE(Fixture, "Stopping in the middle of everything leaves nothing behind") {
  connect(ann, bob);
  FarEnd carl{*this, "198.51.100.3:5060"}, dora{*this, "198.51.100.4:5060"};
  route = [](BusMessage& message) {
    message.set_retvalue("sip/sip:104@198.51.100.4:5060");
    return true;
  };
  ring(carl, dora);
  calls->stop();
  settle();
  CHECK(calls->legs() == 0);
  CHECK(engine.channels().size() == 0);
  ann.request("BYE");
  ann.expect("SIP/2.0 481");
}

}  // namespace
}  // namespace jackfield::sip::call
