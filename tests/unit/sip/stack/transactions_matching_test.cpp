// What belongs to which transaction, and what to none: copies, CANCEL, merged requests, messages that are no good.
#include "transactions_fixture.h"

namespace jackfield::sip::stack {

namespace {
using Fixture = TransactionsFixture;
}  // namespace

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

}  // namespace jackfield::sip::stack
