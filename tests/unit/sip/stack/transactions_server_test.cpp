// Requests that come in: their transactions, the answers that are kept, and where responses go.
#include "transactions_fixture.h"

namespace jackfield::sip::stack {

namespace {
using Fixture = TransactionsFixture;
}  // namespace

// ---- server side: INVITE

TEST_CASE("an INVITE is answered 100 within 200 ms, and its copies get the latest response") {
  Fixture f;
  f.begin_each();
  f.receive(RequestText{}.text());
  f.engine.advance(100ms);
  CHECK(f.transport.sent.empty());
  f.engine.advance(90ms);
  CHECK(f.transport.lines() == Lines{"SIP/2.0 100 Trying"});
  f.receive(RequestText{}.text());
  CHECK(f.transport.lines() == Lines{"SIP/2.0 100 Trying"});
  CHECK(f.respond(180));
  f.receive(RequestText{}.text());
  CHECK(f.transport.lines() == Lines{"SIP/2.0 180 Ringing", "SIP/2.0 180 Ringing"});
  CHECK(f.user.take() == Lines{"request INVITE"});
  f.respond(200);
  f.let_all_end();
}

TEST_CASE("a refusal of an INVITE is repeated until the ACK, which the user never sees") {
  Fixture f;
  f.begin_each();
  f.receive(RequestText{}.text());
  CHECK(f.respond(486));
  CHECK_FALSE(f.respond(200));
  f.engine.advance(1600ms);  // 500, 1500
  CHECK(f.transport.lines() == Lines{"SIP/2.0 486 Busy Here", "SIP/2.0 486 Busy Here", "SIP/2.0 486 Busy Here"});
  f.receive(RequestText{.method = "ACK", .to_tag = "us"}.text());
  f.receive(RequestText{.method = "ACK", .to_tag = "us"}.text());
  f.engine.advance(4s);
  CHECK(f.transport.sent.empty());
  CHECK(f.transactions.live() == 0);
  CHECK(f.transactions.completed() == 1);
  CHECK(f.user.take() == Lines{"request INVITE"});
}

TEST_CASE("of an INVITE whose answer was acknowledged only what absorbs repetitions is kept") {
  for (const int code : {200, 486}) {
    CAPTURE(code);
    Fixture f;
    f.begin_each();
    f.receive(RequestText{}.text());
    f.respond(code);
    CHECK(f.transactions.request_of(f.user.server) != nullptr);
    if (code == 200) f.transactions.acknowledged(f.user.server);
    else f.receive(RequestText{.method = "ACK", .to_tag = "us"}.text());
    CHECK(f.transactions.request_of(f.user.server) == nullptr);
    CHECK(f.transactions.live() == 0);
    CHECK(f.transactions.completed() == 1);
    f.transport.take();
    f.user.take();
    f.receive(RequestText{}.text());
    CHECK(f.transport.take().empty());
    f.receive(RequestText{.method = "CANCEL"}.text());
    CHECK(f.transport.lines() == Lines{"SIP/2.0 200 OK"});
    f.engine.advance(33s);
    CHECK(f.transactions.completed() == 0);
    CHECK(f.user.take().empty());
  }
}

TEST_CASE("a refusal without ACK fails after 64*T1") {
  Fixture f;
  f.begin_each();
  f.receive(RequestText{}.text());
  f.respond(486);
  f.engine.advance(31900ms);
  CHECK(f.user.take() == Lines{"request INVITE"});
  f.engine.advance(200ms);
  CHECK(f.user.take() == Lines{"server_failed"});
  CHECK(f.transactions.live() == 0);
  CHECK(f.transactions.request_of(f.user.server) == nullptr);
}

TEST_CASE("a 2xx is repeated until acknowledged(), whatever ACK the user saw") {
  for (const FlowId& flow : {kUdp, kTcp}) {
    Fixture f;
    f.begin_each();
    f.receive(RequestText{}.text(), flow);
    f.respond(200);
    f.engine.advance(1600ms);
    CHECK(f.transport.take().size() == 3);
    f.receive(RequestText{.method = "ACK", .branch = "z9hG4bKother", .to_tag = "us"}.text(), flow);
    CHECK(f.user.take() == Lines{"request INVITE", "request ACK"});
    f.transactions.acknowledged(f.user.server);
    f.engine.advance(5s);
    CHECK(f.transport.sent.empty());
    f.receive(RequestText{}.text(), flow);  // RFC 6026: absorbed
    CHECK(f.transport.sent.empty());
    CHECK(f.user.take().empty());
    f.let_all_end();
    CHECK(f.user.take().empty());
  }
}

TEST_CASE("a 2xx that nobody acknowledges fails after 64*T1") {
  Fixture f;
  f.begin_each();
  f.receive(RequestText{}.text());
  f.respond(200);
  f.engine.advance(34s);
  CHECK(f.user.take() == Lines{"request INVITE", "server_failed"});
  CHECK(f.transport.take().size() == 11);  // at 0, 0.5, 1.5, 3.5, 7.5, then every 4 s
  CHECK(f.transactions.live() == 0);
}

// ---- server side: non-INVITE and answers that leave nothing

TEST_CASE("a kept answer is repeated for its request until J, and costs no live transaction") {
  Fixture f;
  f.keep_each(200);
  const std::string request = RequestText{.method = "REGISTER"}.text();
  f.receive(request);
  const auto first = f.transport.take();
  REQUIRE(first.size() == 1);
  CHECK(f.transactions.live() == 0);
  CHECK(f.transactions.completed() == 1);
  f.engine.advance(30s);
  f.receive(request);
  const auto again = f.transport.take();
  REQUIRE(again.size() == 1);
  CHECK(again[0].bytes == first[0].bytes);
  CHECK(again[0].flow == first[0].flow);
  CHECK(f.user.take() == Lines{"request REGISTER"});
  f.engine.advance(4s);
  CHECK(f.transactions.completed() == 0);
  f.receive(request);
  CHECK(f.user.take() == Lines{"request REGISTER"});
}

TEST_CASE("an answer that is held leaves when it is released; what is repeated before that is absorbed, after it answered") {
  Fixture f;
  HeldAnswerId held;
  f.user.on_request = [&](const IncomingRequest& request) { held = f.transactions.hold(request, 200); };
  const std::string request = RequestText{.method = "REGISTER"}.text();
  f.receive(request);
  REQUIRE(held);
  f.receive(request);
  CHECK(f.transport.take().empty());
  f.engine.advance(100s);
  CHECK(f.transactions.completed() == 1);
  f.transactions.release(held);
  f.transactions.release(held);
  f.receive(request);
  CHECK(f.transport.lines() == Lines{"SIP/2.0 200 OK", "SIP/2.0 200 OK"});
  CHECK(f.user.take() == Lines{"request REGISTER"});
  f.engine.advance(2s);
  CHECK(f.transactions.completed() == 0);
}

TEST_CASE("a refusal that takes the place of a held answer has all a response takes from its request, and leaves nothing") {
  Fixture f;
  HeldAnswerId held;
  f.user.on_request = [&](const IncomingRequest& request) {
    held = f.transactions.hold(request, 200, {}, [](Writer& writer) { writer.header(HeaderId::contact, "<sip:a@192.0.2.9>"); });
  };
  const std::string request = RequestText{.method = "REGISTER", .extra = "Via: SIP/2.0/UDP 192.0.2.33;branch=z9hG4bKbelow\r\n"}.text();
  f.receive(request);
  f.transactions.refuse(held, 500, "Not Saved", [](Writer& writer) { writer.header(HeaderId::retry_after, 5ul); });
  const auto sent = f.transport.take();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].flow == kUdp);
  Message refusal, asked;
  REQUIRE(refusal.parse(sent[0].bytes));
  REQUIRE(asked.parse(request));
  CHECK(refusal.status() == 500);
  CHECK(refusal.list(HeaderId::via).size() == 2);
  CHECK(refusal.top_via()->branch == asked.top_via()->branch);
  CHECK(refusal.value(HeaderId::from) == asked.value(HeaderId::from));
  CHECK(refusal.to()->tag == f.transactions.to_tag(asked));
  CHECK(refusal.call_id() == asked.call_id());
  CHECK(refusal.cseq()->number == 1);
  CHECK(refusal.has(HeaderId::retry_after));
  CHECK_FALSE(refusal.has(HeaderId::contact));
  f.transactions.refuse(held, 500);
  f.transactions.release(held);
  CHECK(f.transport.take().empty());
  f.user.take();
  f.receive(request);
  CHECK(f.user.take() == Lines{"request REGISTER"});
}

TEST_CASE("over TCP nothing is kept of an answered request") {
  Fixture f;
  f.keep_each(200);
  f.receive(RequestText{.method = "OPTIONS"}.text(), kTcp);
  CHECK(f.transport.lines() == Lines{"SIP/2.0 200 OK"});
  CHECK(f.transactions.completed() == 0);
  f.user.on_request = [&](const IncomingRequest& request) { f.user.server = f.transactions.begin(request); };
  f.receive(RequestText{.method = "MESSAGE", .branch = "z9hG4bK2"}.text(), kTcp);
  CHECK(f.transactions.live() == 1);
  f.respond(200);
  CHECK(f.transactions.live() == 0);
  CHECK(f.transactions.completed() == 0);
}

TEST_CASE("a non-INVITE that waits for its user discards copies, then answers them") {
  Fixture f;
  f.begin_each();
  const std::string request = RequestText{.method = "MESSAGE"}.text();
  f.receive(request);
  f.receive(request);
  CHECK(f.transport.sent.empty());
  f.engine.advance(1s);
  CHECK(f.transport.sent.empty());  // no 100 for a non-INVITE
  CHECK(f.respond(100));
  f.receive(request);
  CHECK(f.transport.lines() == Lines{"SIP/2.0 100 Trying", "SIP/2.0 100 Trying"});
  CHECK(f.respond(202));
  CHECK(f.transactions.live() == 0);
  CHECK(f.transactions.completed() == 1);
  CHECK_FALSE(f.transactions.respond(f.user.server, 200, "late"));
  f.receive(request);
  CHECK(f.transport.lines() == Lines{"SIP/2.0 202 Accepted", "SIP/2.0 202 Accepted"});
  CHECK(f.user.take() == Lines{"request MESSAGE"});
  f.let_all_end();
}

TEST_CASE("a stateless answer leaves nothing, is the same again, and its ACK is absorbed") {
  Fixture f;
  f.reply_each(401);
  f.receive(RequestText{}.text());
  f.receive(RequestText{}.text());
  CHECK(f.transactions.live() == 0);
  CHECK(f.transactions.completed() == 0);
  const auto sent = f.transport.take();
  REQUIRE(sent.size() == 2);
  CHECK(sent[0].bytes == sent[1].bytes);
  const std::string tag = to_tag_of(sent[0].bytes);
  CHECK(tag.size() >= 8);
  f.user.take();
  f.receive(RequestText{.method = "ACK", .to_tag = tag}.text());
  CHECK(f.user.take().empty());
  f.receive(RequestText{.method = "ACK", .to_tag = "another"}.text());
  CHECK(f.user.take() == Lines{"request ACK"});
}

TEST_CASE("the To tag differs by branch, Call-ID, From tag and run") {
  Fixture f;
  std::set<std::string> tags;
  for (const RequestText& text : {RequestText{}, RequestText{.branch = "z9hG4bK2"}, RequestText{.call_id = "2"}, RequestText{.from_tag = "2"}}) {
    Message message;
    const std::string bytes = text.text();
    REQUIRE(message.parse(bytes));
    tags.insert(f.transactions.to_tag(message));
  }
  Fixture other;
  Message message;
  const std::string bytes = RequestText{}.text();
  REQUIRE(message.parse(bytes));
  tags.insert(other.transactions.to_tag(message));
  CHECK(tags.size() == 5);
}

TEST_CASE("reply writes the headers it is given and fills in the Via") {
  Fixture f;
  f.user.on_request = [&](const IncomingRequest& request) {
    f.transactions.reply(request, 401, "Who Are You", [](Writer& writer) { writer.header("X-Test", "1"); });
  };
  f.receive(RequestText{.method = "REGISTER"}.text());
  const auto sent = f.transport.take();
  REQUIRE(sent.size() == 1);
  CHECK(first_line(sent[0].bytes) == "SIP/2.0 401 Who Are You");
  CHECK(sent[0].bytes.find("\r\nX-Test: 1\r\n") != std::string::npos);
  CHECK(sent[0].bytes.find("rport=5062") != std::string::npos);
  CHECK(sent[0].bytes.find("received=192.0.2.9") != std::string::npos);
}

TEST_CASE("a kept refusal of an INVITE has its transaction") {
  Fixture f;
  f.keep_each(403);
  f.receive(RequestText{}.text());
  CHECK(f.transactions.live() == 1);
  f.engine.advance(600ms);
  CHECK(f.transport.take().size() == 2);
  f.let_all_end();
}

// ---- where responses go

TEST_CASE("a UDP response goes where RFC 3261, RFC 3581 and D12 say") {
  struct Case {
    const char *sent_by, *parameters;
    bool ignore_via;
    const char* destination;
  };
  for (const Case& c : {
           Case{"192.0.2.9:5060", ";rport", false, "192.0.2.9:5062"},      // asked for
           Case{"192.0.2.9:5070", "", false, "192.0.2.9:5070"},            // the Via names the source: its port
           Case{"192.0.2.9", "", false, "192.0.2.9:5060"},                 // and the default port
           Case{"10.0.0.1:5070", "", false, "192.0.2.9:5062"},             // behind NAT
           Case{"phone.example.com:5070", "", false, "192.0.2.9:5062"},    // a name proves nothing
           Case{"192.0.2.9:5070", "", true, "192.0.2.9:5062"},             // ignorevia
           Case{"192.0.2.9:5070", ";maddr=198.51.100.1", false, "192.0.2.9:5070"},  // nobody aims us at a third party
       }) {
    CAPTURE(c.sent_by);
    Fixture f({.ignore_via = c.ignore_via});
    f.reply_each(200);
    f.receive(RequestText{.method = "OPTIONS", .sent_by = c.sent_by, .via_parameters = c.parameters}.text());
    REQUIRE(f.transport.sent.size() == 1);
    CHECK(f.transport.sent[0].flow.remote.text() == c.destination);
    f.begin_each();
    f.receive(RequestText{.branch = "z9hG4bK2", .sent_by = c.sent_by, .via_parameters = c.parameters, .call_id = "2"}.text());
    f.respond(200);
    CHECK(f.transport.sent.back().flow.remote.text() == c.destination);
    CHECK(f.transactions.flow_of(f.user.server) == kUdp);
  }
}

TEST_CASE("a TCP response whose connection died goes by a new one to the Via's port") {
  Fixture f;
  f.begin_each();
  f.receive(RequestText{.sent_by = "192.0.2.9:5070", .transport = "TCP"}.text(), kTcp);
  f.transport.dead.insert(kTcp.connection);
  f.events.closed(kTcp, "gone");
  CHECK(f.user.take() == Lines{"request INVITE", "flow_closed"});
  CHECK(f.transactions.live() == 1);
  CHECK(f.respond(200));
  REQUIRE(f.transport.sent.size() == 1);
  const FlowId second = f.transport.sent[0].flow;
  CHECK(second.remote.text() == "192.0.2.9:5070");
  CHECK(second.connection != kTcp.connection);
  SUBCASE("and when that one fails too, the INVITE has failed") {
    f.transport.dead.insert(second.connection);
    f.events.closed(second, "refused");
    CHECK(f.user.take() == Lines{"server_failed", "flow_closed"});
    CHECK(f.transactions.live() == 0);
  }
  SUBCASE("and is repeated on it until the ACK") {
    f.engine.advance(600ms);
    CHECK(f.transport.take().size() == 2);
    f.transactions.acknowledged(f.user.server);
    f.let_all_end();
    CHECK(f.user.take().empty());
  }
}

TEST_CASE("a final response that may have been lost with its connection is sent on a new one") {
  Fixture f;
  f.begin_each();
  f.receive(RequestText{.sent_by = "192.0.2.9:5070"}.text(), kTcp);
  f.respond(486);
  f.transport.take();
  f.transport.dead.insert(kTcp.connection);
  f.events.closed(kTcp, "gone");
  REQUIRE(f.transport.sent.size() == 1);
  CHECK(first_line(f.transport.sent[0].bytes) == "SIP/2.0 486 Busy Here");
  CHECK(f.transport.sent[0].flow.remote.text() == "192.0.2.9:5070");
  f.let_all_end();
}

TEST_CASE("an INVITE repeated on a new connection moves its responses there") {
  Fixture f;
  f.begin_each();
  f.receive(RequestText{}.text(), kTcp);
  f.respond(180);
  f.transport.take();
  f.transport.dead.insert(kTcp.connection);
  f.events.closed(kTcp, "gone");
  FlowId second = kTcp;
  second.connection = 2;
  second.remote.set_port(40001);
  f.receive(RequestText{}.text(), second);
  f.respond(200);
  CHECK(f.transport.lines() == Lines{"SIP/2.0 180 Ringing", "SIP/2.0 200 OK"});
  f.transactions.acknowledged(f.user.server);
  f.let_all_end();
}

}  // namespace jackfield::sip::stack
