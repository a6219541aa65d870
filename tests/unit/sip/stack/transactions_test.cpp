// The transaction layer over a transport made of memory and a clock that the test moves.
#include "stack/transactions.h"

#include <doctest/doctest.h>

#include "stack_support.h"
#include "support/test_engine.h"

namespace jackfield::sip::stack {
using namespace std::chrono_literals;

namespace {

using Lines = std::vector<std::string>;

const FlowId kUdp{address("192.0.2.9:5062"), 0, 0, TransportKind::udp};
const FlowId kTcp{address("192.0.2.9:40000"), 1, 0, TransportKind::tcp};

struct Fixture {
  TestEngine engine;
  FakeTransport transport;
  RecordingUser user;
  Transactions transactions;
  TransportEvents& events = transactions;

  explicit Fixture(TransactionOptions options = {}) : transactions(engine, options) { transactions.attach(transport, user); }

  void receive(const std::string& text, const FlowId& flow = kUdp) { events.message(flow, text); }
  void begin_each() {
    user.on_request = [this](const IncomingRequest& request) {
      if (request.message.method() != Method::ack) user.server = transactions.begin(request);
    };
  }
  void reply_each(int code) {
    user.on_request = [this, code](const IncomingRequest& request) { transactions.reply(request, code); };
  }
  void keep_each(int code) {
    user.on_request = [this, code](const IncomingRequest& request) { transactions.reply_and_keep(request, code); };
  }
  bool respond(int code, std::string_view to_tag = "us") {
    const Message* request = transactions.request_of(user.server);
    REQUIRE(request != nullptr);
    std::string out;
    start_response(out, *request, code, {}, to_tag, "192.0.2.9", 5062).end();
    return transactions.respond(user.server, code, out);
  }
  std::string sent_request;
  ClientTransactionId request(const std::string& method, const FlowId& flow = kUdp, const std::string& extra = {}) {
    const std::string branch = transactions.new_branch();
    sent_request = RequestText{.method = method, .branch = branch, .sent_by = "192.0.2.1:5060", .extra = extra}.text();
    return transactions.send(flow, method_from(method), branch, sent_request);
  }
  void answer(int code, std::string_view to_tag = "far", const FlowId& flow = kUdp) {
    receive(response_text(sent_request, code, to_tag), flow);
  }
  void let_all_end() {
    engine.advance(200s);
    CHECK(transactions.live() == 0);
    CHECK(transactions.completed() == 0);
  }
};

std::string to_tag_of(std::string_view response) {
  Message message;
  REQUIRE(message.parse(response));
  return std::string(message.to()->tag);
}

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
  CHECK(f.transactions.live() == 1);
  f.engine.advance(3s);
  CHECK(f.transactions.live() == 0);
  CHECK(f.user.take() == Lines{"request INVITE"});
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

// ---- matching

TEST_CASE("another method, sent-by or branch is another transaction") {
  Fixture f;
  f.keep_each(200);
  f.receive(RequestText{.method = "OPTIONS"}.text());
  f.receive(RequestText{.method = "MESSAGE", .call_id = "2"}.text());
  f.receive(RequestText{.method = "OPTIONS", .sent_by = "192.0.2.9:5061", .call_id = "3"}.text());
  f.receive(RequestText{.method = "OPTIONS", .branch = "z9hG4bK2", .call_id = "4"}.text());
  f.receive(RequestText{.method = "X-UNKNOWN", .call_id = "5"}.text());
  f.receive(RequestText{.method = "X-OTHER", .call_id = "6"}.text());
  CHECK(f.user.take().size() == 6);
  f.receive(RequestText{.method = "X-OTHER", .call_id = "6"}.text());
  f.receive(RequestText{.method = "OPTIONS"}.text());
  CHECK(f.user.take().empty());
}

TEST_CASE("a request without the magic cookie is matched as RFC 2543 did") {
  Fixture f;
  f.begin_each();
  const RequestText invite{.branch = "1"};
  f.receive(invite.text());
  f.receive(invite.text());
  CHECK(f.user.take() == Lines{"request INVITE"});
  f.receive(RequestText{.branch = "1", .call_id = "2"}.text());
  CHECK(f.user.take() == Lines{"request INVITE"});
  const auto second = f.user.server;
  f.receive(RequestText{.method = "CANCEL", .branch = "1", .call_id = "2"}.text());
  CHECK(f.user.take() == Lines{"cancelled"});
  CHECK(f.user.server == second);
  f.respond(487);
  f.transport.take();
  f.receive(RequestText{.method = "ACK", .branch = "1", .call_id = "2", .to_tag = "us"}.text());
  f.engine.advance(2s);
  const auto lines = f.transport.lines();
  CHECK(std::find(lines.begin(), lines.end(), "SIP/2.0 487 Request Terminated") == lines.end());  // acknowledged
  CHECK(f.user.take().empty());
}

TEST_CASE("CANCEL is answered, told once, and has no effect after the final response") {
  Fixture f;
  f.begin_each();
  f.receive(RequestText{}.text());
  const std::string cancel = RequestText{.method = "CANCEL"}.text();
  f.receive(cancel);
  f.receive(cancel);
  CHECK(f.transport.lines() == Lines{"SIP/2.0 200 OK", "SIP/2.0 200 OK"});
  CHECK(f.user.take() == Lines{"request INVITE", "cancelled"});
  f.respond(487);
  f.receive(cancel);
  CHECK(f.transport.lines() == Lines{"SIP/2.0 487 Request Terminated", "SIP/2.0 200 OK"});
  CHECK(f.user.take().empty());
  f.receive(RequestText{.method = "ACK", .to_tag = "us"}.text());
  f.let_all_end();
}

TEST_CASE("CANCEL for nothing is 481") {
  Fixture f;
  f.receive(RequestText{.method = "CANCEL"}.text());
  CHECK(f.transport.lines() == Lines{"SIP/2.0 481 Call/Transaction Does Not Exist"});
  CHECK(f.user.take().empty());
}

TEST_CASE("a merged request is 482, a fork to two of our contacts is two requests") {
  Fixture f;
  f.begin_each();
  f.receive(RequestText{}.text());
  f.receive(RequestText{.branch = "z9hG4bK2"}.text());
  CHECK(f.transport.lines() == Lines{"SIP/2.0 482 Loop Detected"});
  CHECK(f.user.take() == Lines{"request INVITE"});
  f.receive(RequestText{.uri = "sip:carol@192.0.2.1", .branch = "z9hG4bK3"}.text());
  CHECK(f.user.take() == Lines{"request INVITE"});
  f.receive(RequestText{.branch = "z9hG4bK4", .cseq = 2}.text());
  f.receive(RequestText{.branch = "z9hG4bK5", .from_tag = "other"}.text());
  f.receive(RequestText{.branch = "z9hG4bK6", .call_id = "other"}.text());
  f.receive(RequestText{.branch = "z9hG4bK7", .to_tag = "inside-a-dialog"}.text());
  CHECK(f.user.take().size() == 4);
}

TEST_CASE("a request merges with a completed one, and no longer when that is gone") {
  Fixture f;
  f.keep_each(200);
  f.receive(RequestText{.method = "MESSAGE"}.text());
  f.receive(RequestText{.method = "MESSAGE", .branch = "z9hG4bK2"}.text());
  CHECK(f.transport.lines() == Lines{"SIP/2.0 200 OK", "SIP/2.0 482 Loop Detected"});
  f.engine.advance(34s);
  f.receive(RequestText{.method = "MESSAGE", .branch = "z9hG4bK3"}.text());
  CHECK(f.transport.lines() == Lines{"SIP/2.0 200 OK"});
}

// ---- what is no good

TEST_CASE("what cannot be used is refused with its reason where an answer can be addressed") {
  const auto with = [](std::string from, std::string to, RequestText text = {.method = "OPTIONS"}) {
    std::string bytes = text.text();
    const auto at = bytes.find(from);
    REQUIRE(at != std::string::npos);
    return bytes.replace(at, from.size(), to);
  };
  struct Case {
    const char* name;
    std::string bytes;
    Lines answer;
  };
  for (const Case& c : {
           Case{"another version", with("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"), {"SIP/2.0 505 Version Not Supported"}},
           Case{"no Call-ID", with("Call-ID: call-1\r\n", ""), {"SIP/2.0 400 Missing Call-ID header"}},
           Case{"another method in CSeq", with("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"),
                {"SIP/2.0 400 Bad CSeq header: its method is not the request's"}},
           Case{"too long for its datagram", with("Content-Length: 0", "Content-Length: 5"),
                {"SIP/2.0 400 Content-Length larger than the message"}},
           Case{"bad Max-Forwards", with("Max-Forwards: 70", "Max-Forwards: x"),
                {"SIP/2.0 400 Bad Max-Forwards header: not a number up to 255"}},
           Case{"no Via", with("Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1;rport\r\n", ""), {}},
           Case{"an ACK", with("CSeq: 1 ACK", "CSeq: x ACK", {.method = "ACK"}), {}},
           Case{"a response", with("CSeq: 1 INVITE", "CSeq: x", {.method = "INVITE"}).replace(0, 34, "SIP/2.0 200 OK"), {}},
           Case{"noise", "hello", {}},
           Case{"nothing", "", {}},
       }) {
    CAPTURE(c.name);
    Fixture f;
    f.receive(c.bytes);
    CHECK(f.transport.lines() == c.answer);
    CHECK(f.user.take().empty());
    CHECK(f.transactions.live() == 0);
  }
}

TEST_CASE("a response is never answered, however broken and however it is written") {
  Fixture f;
  const std::string headers = "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1;rport\r\nContent-Length: 0\r\n\r\n";
  for (const auto* start : {"SIP/2.0 200 OK", "sip/2.0 200 OK", "Sip/2.0 999 X", "SIP/7.0 200 OK"}) {
    CAPTURE(start);
    f.receive(std::string(start) + "\r\n" + headers);
    CHECK(f.transport.take().empty());
  }
  f.receive("ACK sip:bob@192.0.2.1 SIP/2.0\r\n" + headers);
  CHECK(f.transport.take().empty());
}

TEST_CASE("what an operator counts: messages, what was no SIP, and retransmissions of both sides") {
  Fixture f;
  const auto count = [&](const std::string& line) { return f.engine.metrics().prometheus_text().find("\n" + line + "\n") != std::string::npos; };
  f.user.on_request = [&](const IncomingRequest& request) { f.transactions.reply_and_keep(request, 200); };
  const auto request = RequestText{.method = "OPTIONS"}.text();
  f.receive(request);
  f.receive(request);
  f.receive("nothing\r\n\r\n");
  CHECK(count("jackfield_sip_messages_received_total{transport=\"udp\"} 3"));
  CHECK(count("jackfield_sip_messages_received_total{transport=\"tcp\"} 0"));
  CHECK(count("jackfield_sip_parse_errors_total 1"));
  CHECK(count("jackfield_sip_retransmissions_received_total 1"));
  CHECK(count("jackfield_sip_completed_transactions_count 1"));
}

TEST_CASE("what the framer gave up on is refused with its status") {
  Fixture f;
  f.events.unframed(kTcp, RequestText{.method = "OPTIONS"}.text(), 413, "Message body too large");
  CHECK(f.transport.lines() == Lines{"SIP/2.0 413 Message body too large"});
  f.events.unframed(kTcp, "rubbish", 400, "Not a SIP message");
  CHECK(f.transport.sent.empty());
}

TEST_CASE("a request without hops left is 483 unless it is for us alone") {
  const auto spent = [](RequestText text) {
    std::string bytes = text.text();
    return bytes.replace(bytes.find("Forwards: 70"), 12, "Forwards: 0");
  };
  Fixture f;
  f.receive(spent({}));
  CHECK(f.transport.lines() == Lines{"SIP/2.0 483 Too Many Hops"});
  CHECK(f.user.take().empty());
  f.receive(spent({.method = "REGISTER", .branch = "z9hG4bK2"}));
  f.receive(spent({.method = "OPTIONS", .branch = "z9hG4bK3"}));
  f.receive(spent({.method = "BYE", .branch = "z9hG4bK4", .to_tag = "us"}));
  CHECK(f.user.take() == Lines{"request REGISTER", "request OPTIONS", "request BYE"});
}

// ---- client side

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
  f.let_all_end();
  f.answer(200);
  CHECK(f.user.take() == Lines{"stray 200"});
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

TEST_CASE("linger shortens D, I, J and K") {
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
  CHECK(f.transactions.live() == 3);
  CHECK(f.transactions.completed() == 1);
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
