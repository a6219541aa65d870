// Text messages over a connection.
#include "outside/outside.h"

#include "unit/sip/call/connection_table.h"

namespace jackfield::sip::call {
namespace {

struct World : OverLine {
  outside::Outside outside{core, door, bindings, *calls};
  World() { outside.start(); }
  ~World() override {
    outside.stop();
    engine.run_until_idle();
  }
  void text() {
    ann.call_id = "text";
    ann.local = "<sip:101@192.0.2.1>";
    ann.remote = "<sip:102@192.0.2.1>";
    ann.target = "sip:102@192.0.2.1";
    ann.content_type = "text/plain";
    ann.request("MESSAGE", "hello");
  }

 private:
  void request(const stack::IncomingRequest& request) override { outside.request(request); }
  void response(stack::ClientTransactionId transaction, const Message& response, const stack::FlowId&) override { outside.response(transaction, response); }
  void client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure) override { outside.client_failed(transaction, failure); }
};

TEST_CASE_FIXTURE(World, "SP-5 A text message goes out by a connection as its user's, proved where that is asked") {
  text();
  const auto first = main.expect("MESSAGE sip:1234@203.0.113.1");
  CHECK(header(first, "From").starts_with("<sip:jack@203.0.113.1>"));
  main.answer(first, 407, {}, {}, "Proxy-Authenticate: Digest realm=\"up\", nonce=\"one\", qop=\"auth\"\r\n");
  const auto proved = main.expect("MESSAGE");
  CHECK(header(proved, "Proxy-Authorization").find("username=\"jack\"") != std::string::npos);
  CHECK(body(proved) == "hello");
  main.answer(proved, 202);
  ann.expect("SIP/2.0 202");
}

TEST_CASE_FIXTURE(World, "EL-2 A text message that a server refuses with 503 is sent by the next one") {
  text();
  main.answer(main.expect("MESSAGE"), 503);
  const auto next = second.expect("MESSAGE sip:1234@203.0.113.2");
  CHECK(header(next, "From").starts_with("<sip:jack@203.0.113.2>"));
  second.answer(next, 200);
  ann.expect("SIP/2.0 200");
  CHECK(table.told == std::vector<std::string>{"up 0 refused"});
}

TEST_CASE_FIXTURE(World, "EL-2 A text message fails over as a call does: on silence within invite_total_timeout, and to a name that has to be looked up first") {
  zone.address("pool.example", "203.0.113.2");
  up.exit.servers.resize(2);
  up.exit.servers[1] = {1, {"pool.example", 5060}, {}, "pool.example", {}};
  text();
  const auto first = main.expect("MESSAGE");
  SUBCASE("nobody says anything") {
    engine.advance(999ms);
    CHECK(table.told.empty());
    engine.advance(1ms);
    main.inbox.clear();
    zone.answer();
    settle();
    const auto next = second.expect("MESSAGE sip:1234@pool.example");
    CHECK(header(next, "Call-ID") != header(first, "Call-ID"));
    CHECK(table.told == std::vector<std::string>{"up 0 unreachable"});
    second.answer(next, 200);
    ann.expect("SIP/2.0 200");
    engine.advance(40s);
    main.expect_nothing();
  }
  SUBCASE("nobody is there") {
    static_cast<stack::TransportEvents&>(transactions).closed(main.flow, "refused");
    settle();
    zone.answer();
    settle();
    second.answer(second.expect("MESSAGE"), 202);
    ann.expect("SIP/2.0 202");
    CHECK(table.told == std::vector<std::string>{"up 0 unreachable"});
  }
  SUBCASE("a sign of life is waited for") {
    main.answer(first, 183);
    engine.advance(10s);
    second.expect_nothing();
    main.inbox.clear();
    main.answer(first, 404);
    ann.expect("SIP/2.0 404");
  }
  SUBCASE("and when all are silent its sender hears so in time") {
    engine.advance(1s);
    zone.answer();
    settle();
    engine.advance(1s);
    ann.expect("SIP/2.0 480");
  }
}

TEST_CASE_FIXTURE(World, "P-3 A text message to a host that is a name waits until it is known") {
  zone.address("far.example", "203.0.113.2");
  route = [](BusMessage& message) {
    message.set_retvalue("sip/sip:105@far.example:5060");
    return true;
  };
  text();
  second.expect_nothing();
  SUBCASE("known") {
    zone.answer();
    settle();
    second.answer(second.expect("MESSAGE sip:105@far.example:5060"), 200);
    ann.expect("SIP/2.0 200");
  }
  SUBCASE("not known") {
    zone.records.clear();
    zone.answer();
    settle();
    ann.expect("SIP/2.0 404");
  }
}

TEST_CASE_FIXTURE(World, "SP-13 A text message to a switchboard that registered here names the number") {
  const std::string contact = "sip:trunk@198.51.100.2:5060";
  bindings.all[contact] = {.flow = bob.flow, .request_uri = contact, .route = {}, .username = "trunk"};
  route = [&](BusMessage& message) {
    message.set_retvalue("sip/" + contact);
    message.set("user", "555");
    return true;
  };
  text();
  bob.answer(bob.expect("MESSAGE sip:555@198.51.100.2:5060"), 200);
  ann.expect("SIP/2.0 200");
}

}  // namespace
}  // namespace jackfield::sip::call
