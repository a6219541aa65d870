// What happens within an answered call, offers apart: hanging up from either side, lost messages, requests from elsewhere, ends.
#include "two_phones.h"

namespace jackfield::sip::call {
namespace {

TEST_CASE_FIXTURE(TwoPhones, "The called side hangs up, and its reason travels") {
  connect(ann, bob);
  bob.request("BYE", {}, "Reason: Q.850;cause=16;text=\"Normal\"\r\n");
  bob.expect("SIP/2.0 200");
  const auto bye = ann.expect("BYE sip:101@198.51.100.1:5060");
  CHECK(header(bye, "Reason") == "Q.850;cause=16;text=\"Normal\"");
  ann.answer(bye, 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "BYEs that cross are both answered 200") {
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

TEST_CASE_FIXTURE(TwoPhones, "A BYE that nobody answers is given up, and nothing is left of the call") {
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

TEST_CASE_FIXTURE(TwoPhones, "An answer that is never acknowledged ends the call with BYE") {
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

TEST_CASE_FIXTURE(TwoPhones, "The called side hangs up before the caller's ACK: his BYE waits for it") {
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

TEST_CASE_FIXTURE(TwoPhones, "A caller may end his call with BYE before it is answered") {
  ring(ann, bob);
  ann.remote_tag = all("call.ringing").empty() ? "" : all("call.route").at(0).at("callid").substr(all("call.route").at(0).at("callid").rfind('/') + 1);
  ann.request("BYE");
  ann.expect("SIP/2.0 200");
  ann.expect("SIP/2.0 487");
  bob.answer(bob.expect("CANCEL"), 200);
  bob.answer(bob.last_invite, 487);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "Requests within a call that we serve, and those that we do not yet") {
  connect(ann, bob);
  const std::pair<std::string, int> plain[] = {{"OPTIONS", 200}, {"INFO", 200}, {"UPDATE", 200}, {"PRACK", 481}, {"MESSAGE", 480}, {"WHATEVER", 501}};
  for (const auto& [method, code] : plain) {
    INFO(method);
    ann.request(method);
    const auto answer = ann.expect(fmt::format("SIP/2.0 {}", code));
    if (code == 405 || method == "OPTIONS") CHECK(header(answer, "Allow") == kAllow);
  }
  bob.expect_nothing();
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "Requests out of order, and for dialogs that are not, are refused") {
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

TEST_CASE_FIXTURE(TwoPhones, "A request of a known dialog from elsewhere needs credentials, and then the same user") {
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

TEST_CASE_FIXTURE(TwoPhones, "With auth_dialog every request within an authenticated call is asked for credentials") {
  settings->call.auth_dialog = true;
  connect(ann, bob);
  door.asked.clear();
  ann.request("OPTIONS");
  ann.expect("SIP/2.0 200");
  CHECK(door.asked == std::vector<std::string>{"OPTIONS"});
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "A call of nobody in particular is served from wherever its tags come") {
  door.sender = {Sender::Kind::trusted, {}, {}, {}};
  connect(ann, bob);
  door.asked.clear();
  ann.flow.remote = stack::address("203.0.113.5:5060");
  ann.request("OPTIONS");
  CHECK(door.asked.empty());
  ann.flow.remote = stack::address("198.51.100.1:5060");
  hang_up();
}

TEST_CASE_FIXTURE(TwoPhones, "An answered call outlives its connection: the next request takes the phone's newest one") {
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

TEST_CASE_FIXTURE(TwoPhones, "So does a caller's") {
  FarEnd carl{*this, "198.51.100.3:40000", 7}, again{*this, "198.51.100.3:40001", 8};
  bindings.connections["101"] = carl.flow;
  connect(carl, bob);
  close(carl.flow);
  bindings.connections["101"] = again.flow;
  bob.request("BYE");
  again.answer(again.expect("BYE"), 200);
  check_all_gone();
}

TEST_CASE_FIXTURE(TwoPhones, "A call ends after its timeout, answered or not") {
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

TEST_CASE_FIXTURE(TwoPhones, "call.drop ends one leg, all of the driver, or all") {
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

TEST_CASE_FIXTURE(TwoPhones, "Draining waits for an ACK that is due, and sends the BYE before it is cut off") {
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

TEST_CASE_FIXTURE(TwoPhones, "A drain that was cut off touches nothing when it comes back") {
  connect(ann, bob);
  engine.spawn("drain", calls->drain());
  settle();
  REQUIRE(engine.core().running_tasks() == 1);
  calls.reset();
  settle();
  CHECK(engine.core().running_tasks() == 0);
}

TEST_CASE_FIXTURE(TwoPhones, "Draining ends answered calls with BYE, ringing ones with 503 and CANCEL, and waits for the far ends") {
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

TEST_CASE_FIXTURE(TwoPhones, "Stopping in the middle of everything leaves nothing behind") {
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
