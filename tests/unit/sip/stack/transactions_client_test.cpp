// Requests of ours: repeated, answered, refused, cancelled, failed; and how the layer ends.
#include "transactions_fixture.h"

namespace jackfield::sip::stack {

namespace {
using Fixture = TransactionsFixture;
}  // namespace

TEST_CASE("a request is repeated until it is answered, and the answer told once") {
  Fixture f;
  f.request("OPTIONS");
  f.engine.advance(1600ms);
  CHECK(f.transport.lines() == Lines(3, "OPTIONS sip:bob@192.0.2.1 SIP/2.0"));
  f.answer(100);
  f.answer(200);
  f.answer(200);
  CHECK(f.user.take() == Lines{"response 200"});
  f.engine.advance(4s);
  CHECK(f.transport.sent.empty());
  CHECK(f.transactions.live() == 0);
  f.answer(200);
  CHECK(f.user.take().empty());
}

TEST_CASE("a request that nobody answers fails after 64*T1") {
  for (const char* method : {"INVITE", "OPTIONS", "X-UNKNOWN"}) {
    Fixture f;
    f.request(method);
    f.engine.advance(31900ms);
    CHECK(f.user.take().empty());
    f.engine.advance(200ms);
    CHECK(f.user.take() == Lines{"client_failed timeout"});
    CHECK(f.transactions.live() == 0);
  }
}

TEST_CASE("EL-3: a request with a T1 of its own is repeated by that, and others as ever") {
  Fixture f;
  const std::string branch = f.transactions.new_branch();
  const auto text = RequestText{.method = "REGISTER", .branch = branch, .sent_by = "192.0.2.1:5060"}.text();
  f.transactions.send(kUdp, Method::reg, branch, text, 100ms);
  f.request("OPTIONS");
  f.engine.advance(50ms);
  f.transport.take();
  f.engine.advance(100ms);
  CHECK(f.transport.lines() == Lines{"REGISTER sip:bob@192.0.2.1 SIP/2.0"});
  f.engine.advance(200ms);
  CHECK(f.transport.lines() == Lines{"REGISTER sip:bob@192.0.2.1 SIP/2.0"});
  f.engine.advance(200ms);
  CHECK(f.transport.lines() == Lines{"OPTIONS sip:bob@192.0.2.1 SIP/2.0"});
  f.engine.advance(5900ms);
  CHECK(f.user.take() == Lines{"client_failed timeout"});
}

TEST_CASE("a request that is given up is sent no more, and its answer is nobody's") {
  Fixture f;
  const auto id = f.request("REGISTER");
  f.transport.take();
  f.transactions.abandon(id);
  CHECK(f.transactions.live() == 0);
  f.answer(200);
  f.engine.advance(40s);
  CHECK(f.transport.sent.empty());
  CHECK(f.user.take().empty());
  const auto invite = f.request("INVITE");
  f.transactions.abandon(invite);
  CHECK(f.transactions.live() == 1);  // a call may have begun there
}

TEST_CASE("a method we do not know is matched by its name") {
  Fixture f;
  f.request("X-UNKNOWN");
  f.answer(200);
  CHECK(f.user.take() == Lines{"response 200"});
}

TEST_CASE("a refused INVITE is acknowledged by us with the request's own headers") {
  Fixture f;
  f.request("INVITE", kUdp, "Route: <sip:192.0.2.77;lr>\r\n");
  f.transport.take();
  f.answer(486, "callee");
  const auto sent = f.transport.take();
  REQUIRE(sent.size() == 1);
  Message ack, invite;
  REQUIRE(ack.parse(sent[0].bytes));
  REQUIRE(ack.check_mandatory());
  REQUIRE(invite.parse(f.sent_request));
  CHECK(ack.method() == Method::ack);
  CHECK(ack.request_uri_text() == invite.request_uri_text());
  CHECK(ack.top_via()->text == invite.top_via()->text);
  CHECK(ack.call_id() == invite.call_id());
  CHECK(ack.from()->text == invite.from()->text);
  CHECK(ack.to()->tag == "callee");
  CHECK(ack.cseq()->number == 1);
  CHECK(ack.value(HeaderId::route) == "<sip:192.0.2.77;lr>");
  f.answer(486, "callee");
  CHECK(f.transport.take().size() == 1);
  CHECK(f.user.take() == Lines{"response 486"});
  f.let_all_end();
}

TEST_CASE("every 2xx of a forked INVITE is told, and later ones are strays") {
  Fixture f;
  f.request("INVITE");
  f.answer(180, "a");
  f.answer(180, "b");
  f.answer(200, "a");
  f.answer(200, "b");
  f.answer(200, "a");
  CHECK(f.user.take() == Lines{"response 180", "response 180", "response 200", "response 200", "response 200"});
  f.engine.advance(34s);
  f.answer(200, "c");
  CHECK(f.user.take() == Lines{"stray 200"});
}

TEST_CASE("a cancelled INVITE sends CANCEL when it may, with a Reason, and tells its final response") {
  Fixture f;
  const auto call = f.request("INVITE");
  f.transport.take();
  f.transactions.cancel(call, "SIP;cause=200");
  CHECK(f.transport.sent.empty());
  f.answer(180);
  const auto sent = f.transport.take();
  REQUIRE(sent.size() == 1);
  Message cancel, invite;
  REQUIRE(cancel.parse(sent[0].bytes));
  REQUIRE(cancel.check_mandatory());
  REQUIRE(invite.parse(f.sent_request));
  CHECK(cancel.method() == Method::cancel);
  CHECK(cancel.top_via()->text == invite.top_via()->text);
  CHECK(cancel.to()->text == invite.to()->text);
  CHECK(cancel.cseq()->number == 1);
  CHECK(cancel.value(HeaderId::reason) == "SIP;cause=200");
  f.engine.advance(600ms);
  CHECK(f.transport.take().size() == 1);  // the CANCEL is a request like any other
  f.receive(response_text(sent[0].bytes, 200));
  f.answer(487);
  CHECK(f.user.take() == Lines{"response 180", "response 487"});
  f.let_all_end();
  CHECK(f.user.take().empty());
}

TEST_CASE("a cancelled INVITE without a final response fails 64*T1 after the CANCEL") {
  Fixture f;
  const auto call = f.request("INVITE");
  f.answer(180);
  f.user.take();
  f.engine.advance(10s);
  f.transactions.cancel(call);
  f.transactions.cancel(call);
  f.engine.advance(31900ms);
  CHECK(f.user.take().empty());
  f.engine.advance(200ms);
  CHECK(f.user.take() == Lines{"client_failed timeout"});
  f.let_all_end();
}

TEST_CASE("timer C cancels a call that rings for ever") {
  Fixture f({.timer_c = 60s});
  f.request("INVITE");
  f.answer(180);
  f.engine.advance(50s);
  f.answer(180);
  f.engine.advance(50s);
  f.transport.take();
  f.engine.advance(11s);
  CHECK(f.transport.lines().front() == "CANCEL sip:bob@192.0.2.1 SIP/2.0");
  f.answer(487);
  CHECK(f.user.take() == Lines{"response 180", "response 180", "response 487"});
  f.let_all_end();
}

TEST_CASE("a closed flow fails what waits on it, and only that") {
  Fixture f;
  f.request("OPTIONS");
  f.request("INVITE");
  FlowId other = kUdp;
  other.remote.set_port(7);
  f.request("OPTIONS", other);
  f.events.closed(kUdp, "Connection refused");
  CHECK(f.user.take() == Lines{"client_failed flow_closed", "client_failed flow_closed", "flow_closed"});
  CHECK(f.transactions.live() == 1);
  f.answer(200);
  CHECK(f.user.take() == Lines{"response 200"});
}

TEST_CASE("a request on a connection that is gone already fails in the next turn") {
  Fixture f;
  f.transport.dead.insert(kTcp.connection);
  f.request("OPTIONS", kTcp);
  CHECK(f.user.take().empty());
  f.engine.advance(20ms);
  CHECK(f.user.take() == Lines{"client_failed flow_closed"});
  CHECK(f.transactions.live() == 0);
}

TEST_CASE("a response with a second Via is not ours") {
  Fixture f;
  f.request("OPTIONS");
  std::string answer = response_text(f.sent_request, 200);
  answer.insert(answer.find("From:"), "Via: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKx\r\n");
  f.receive(answer);
  CHECK(f.user.take().empty());
}

TEST_CASE("linger shortens D, I and J") {
  Fixture f({.linger = 1s});
  f.request("INVITE");
  f.answer(486);
  f.request("OPTIONS");
  f.answer(200);
  f.begin_each();
  f.receive(RequestText{}.text());
  f.respond(486);
  f.receive(RequestText{.method = "ACK", .to_tag = "us"}.text());
  f.keep_each(200);
  f.receive(RequestText{.method = "MESSAGE", .branch = "z9hG4bK2"}.text());
  CHECK(f.transactions.live() == 1);
  CHECK(f.transactions.completed() == 2);
  f.engine.advance(2s);
  CHECK(f.transactions.live() == 0);
  CHECK(f.transactions.completed() == 0);
}

TEST_CASE("stop ends everything silently, also from inside a callback") {
  Fixture f;
  f.request("INVITE");
  f.begin_each();
  f.receive(RequestText{}.text());
  f.user.on_response = [&](ClientTransactionId, const Message&) { f.transactions.stop(); };
  f.answer(486);
  CHECK(f.transactions.live() == 0);
  f.user.take();
  f.transport.take();
  f.engine.advance(60s);
  CHECK(f.user.take().empty());
  CHECK(f.transport.sent.empty());
  CHECK(f.engine.timers().running() == 0);
}

TEST_CASE("stale ids are harmless") {
  Fixture f;
  f.begin_each();
  f.receive(RequestText{.method = "MESSAGE"}.text());
  const auto stale = f.user.server;
  f.respond(200);
  f.receive(RequestText{.method = "MESSAGE", .branch = "z9hG4bK2", .call_id = "2"}.text());  // takes the same place
  CHECK_FALSE(f.transactions.respond(stale, 200, "x"));
  CHECK(f.transactions.request_of(stale) == nullptr);
  CHECK_FALSE(f.transactions.flow_of(stale));
  f.transactions.acknowledged(stale);
  f.transactions.cancel({12345});
  CHECK_FALSE(f.transactions.respond({}, 200, "x"));
  CHECK(f.respond(200));
}

TEST_CASE("branches are unique and carry the cookie") {
  Fixture f;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(f.transactions.new_branch());
  CHECK(seen.size() == 1000);
  CHECK(seen.begin()->starts_with("z9hG4bK"));
}

}  // namespace jackfield::sip::stack
