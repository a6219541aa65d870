// Flows of the transport over real sockets: datagrams, streams, connections that begin, idle, fill up and end.
#include <algorithm>

#include "transport_fixture.h"

namespace jackfield::sip::stack {

namespace {
using Fixture = TransportFixture;
}  // namespace

// ---- UDP

TEST_CASE("keep-alive datagrams are ignored, and line ends before a message forgiven") {
  Fixture f;
  Peer phone(SOCK_DGRAM, f.udp);
  for (const std::string_view filler : {std::string_view("\r\n\r\n"), std::string_view("\0\0\0\0", 4), std::string_view("\0", 1),
                                        std::string_view(""), std::string_view("\r\n")})
    phone.send(filler);
  phone.send("\r\n" + kRequest);
  f.until_told("message");
  CHECK(f.told.events == Lines{"message OPTIONS sip:bob@192."});
  CHECK(f.told.bytes.front() == kRequest);
  CHECK(f.told.flows.front() == FlowId{phone.local(), 0, f.udp_index, TransportKind::udp});
  CHECK(phone.received().empty());
}

TEST_CASE("hundreds of datagrams in one turn are read and answered, each to its sender") {
  Fixture f;
  f.told.on_message = [&](const FlowId& flow, std::string_view) { CHECK(f.transport->send(flow, "answer")); };
  std::vector<std::unique_ptr<Peer>> phones;
  for (int i = 0; i < 20; ++i) phones.push_back(std::make_unique<Peer>(SOCK_DGRAM, f.udp));
  for (int i = 0; i < 25; ++i)
    for (const auto& phone : phones) phone->send(kRequest);
  f.until([&] { return f.told.events.size() == 500; });
  f.until([&] { return std::all_of(phones.begin(), phones.end(), [](const auto& phone) { return phone->pieces() == 25; }); });
}

TEST_CASE("datagrams of any length arrive whole, also when one batch brings them all") {
  Fixture f;
  Peer phone(SOCK_DGRAM, f.udp);
  std::vector<std::string> sent;
  for (const std::size_t more : {0, 2000, 2111, 2112, 2113, 4096, 60'000, 1}) {
    std::string text = kRequest;
    while (text.size() < more) text.append(std::to_string(text.size())).push_back(';');
    text.resize(std::max(more, kRequest.size()));
    phone.send(text);
    sent.push_back(std::move(text));
  }
  f.until([&] { return f.told.bytes.size() == sent.size(); });
  CHECK(f.told.bytes == sent);
}

TEST_CASE("an ICMP error ends its own flow and delays no other") {
  for (const char* bind : {"127.0.0.1:0", "[::1]:0"}) {
    Fixture f({}, bind);
    Peer alive(SOCK_DGRAM, f.udp);
    net::Address nobody;
    {
      Peer gone(SOCK_DGRAM, f.udp);
      nobody = gone.local();
    }
    const auto to_nobody = *f.transport->flow_to(TransportKind::udp, nobody);
    const auto to_alive = *f.transport->flow_to(TransportKind::udp, alive.local());
    for (int i = 0; i < 100; ++i) {
      CHECK(f.transport->send(to_nobody, "lost"));
      CHECK(f.transport->send(to_alive, "kept"));
      if (i % 7 == 0) f.engine.run_until_idle();
    }
    f.until([&] { return alive.pieces() == 100; });
    f.until_told("closed Connection refused");
    for (const FlowId& flow : f.told.closed_flows) CHECK(flow == to_nobody);
    alive.send(kRequest);
    f.until_told("message");
  }
}

TEST_CASE("a datagram to where no route leads ends that flow alone") {
  Fixture f;
  Peer alive(SOCK_DGRAM, f.udp);
  // A socket bound to the loopback address reaches nothing else.
  const auto unreachable = *f.transport->flow_to(TransportKind::udp, address("192.0.2.1:5060"));
  CHECK(f.transport->send(unreachable, "lost"));
  CHECK(f.transport->send(*f.transport->flow_to(TransportKind::udp, alive.local()), "kept"));
  f.until([&] { return alive.pieces() == 1; });
  f.until_told("closed");
  CHECK(f.told.closed_flows == std::vector<FlowId>{unreachable});
}

TEST_CASE("a datagram over the limit is told as too large") {
  Fixture f({.max_message = 2000});
  Peer phone(SOCK_DGRAM, f.udp);
  phone.send(kRequest + std::string(3000, 'x'));
  phone.send(kRequest);
  f.until_told("message");
  CHECK(f.told.events.front() == "unframed 513");
}

// ---- TCP

TEST_CASE("messages are cut out of a stream however it arrives") {
  Fixture f;
  Peer phone(SOCK_STREAM, f.tcp);
  const std::string twice = kRequest + kRequest;
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, twice.size()}) {
    f.told.events.clear();
    for (std::size_t at = 0; at < twice.size(); at += piece) {
      phone.send(std::string_view(twice).substr(at, piece));
      if (at % 3 == 0) f.engine.run_until_idle();
    }
    f.until([&] { return std::count(f.told.events.begin(), f.told.events.end(), "message OPTIONS sip:bob@192.") == 2; });
  }
  for (const std::string& bytes : f.told.bytes) CHECK(bytes == kRequest);
  CHECK(f.told.flows.back().remote == phone.local());
  CHECK(f.told.flows.back().kind == TransportKind::tcp);
  CHECK(f.transport->alive(f.told.flows.back()));
}

TEST_CASE("a double line end is answered with one") {
  Fixture f;
  Peer phone(SOCK_STREAM, f.tcp);
  phone.send("\r\n\r\n");
  f.until([&] { return phone.received() == "\r\n"; });
  phone.send(kRequest);
  f.until_told("message");
  CHECK_FALSE(f.told.has("closed"));
}

TEST_CASE("a stream that is no SIP is answered if possible, then closed") {
  Fixture f({.max_message = 4000, .max_header_bytes = 2000});
  f.told.on_unframed = [&](const FlowId& flow) { f.transport->send(flow, "SIP/2.0 400 Bad Request\r\n\r\n"); };
  struct Case {
    std::string bytes;
    const char* told;
  };
  for (const Case& c : {Case{"\x01\x02garbage", "unframed 400"},
                        Case{"OPTIONS sip:a SIP/2.0\r\nContent-Length: x\r\n\r\n", "unframed 400"},
                        Case{"OPTIONS sip:a SIP/2.0\r\nContent-Length: 5000\r\n\r\n", "unframed 413"},
                        Case{"OPTIONS sip:a SIP/2.0\r\nX: " + std::string(3000, 'x'), "unframed 513"}}) {
    CAPTURE(c.told);
    f.told.events.clear();
    Peer phone(SOCK_STREAM, f.tcp);
    phone.send(c.bytes + std::string(20000, 'y'));
    f.until([&] { return phone.ended(); });
    CHECK(phone.received() == "SIP/2.0 400 Bad Request\r\n\r\n");
    CHECK_FALSE(phone.reset());
    CHECK(f.told.has(c.told));
    phone.close();
    f.until_told("closed");
  }
}

TEST_CASE("a flow to a far end uses the connection that is open") {
  Fixture f;
  Fixture far({}, "127.0.0.1:0", &f.engine);
  const auto first = f.transport->flow_to(TransportKind::tcp, far.tcp);
  REQUIRE(first);
  CHECK(f.transport->flow_to(TransportKind::tcp, far.tcp) == first);
  CHECK(f.transport->send(*first, kRequest));  // waits for the connection
  far.until_told("message");
  CHECK(f.told.events == Lines{"opened"});
  CHECK(f.transport->flow_to(TransportKind::tcp, far.tcp) == first);
  // And back, by the accepted one.
  const FlowId back = far.told.flows.back();
  CHECK(far.transport->flow_to(TransportKind::tcp, back.remote) == back);
  CHECK(far.transport->send(back, kRequest));
  f.until_told("message");
  CHECK(f.told.flows.back() == *first);
  f.transport->close(*first);
  f.engine.run_until_idle();
  f.engine.advance(6s);
  f.until([&] { return far.told.has("closed") && f.told.has("closed closed by us"); });
  CHECK_FALSE(f.transport->alive(*first));
  CHECK_FALSE(f.transport->send(*first, "late"));
  CHECK(f.transport->flow_to(TransportKind::tcp, far.tcp) != first);
}

TEST_CASE("a connection that nobody accepts fails") {
  Fixture f;
  net::Address nobody;
  {
    Peer gone(SOCK_STREAM, f.tcp);
    nobody = gone.local();
  }
  const auto flow = f.transport->flow_to(TransportKind::tcp, nobody);
  REQUIRE(flow);
  f.transport->send(*flow, kRequest);
  f.until_told("closed Connection refused");
  CHECK(f.told.closed_flows.back() == *flow);
  CHECK_FALSE(f.transport->alive(*flow));
}

TEST_CASE("a connection that nobody answers fails after its time") {
  Fixture f;
  // With a full queue of connections nobody accepts, the kernel drops what asks for another.
  Peer deaf(SOCK_STREAM, f.tcp, false);
  sockaddr_storage name;
  const socklen_t size = address("127.0.0.1:0").to(name);
  REQUIRE(::bind(deaf.fd(), reinterpret_cast<const sockaddr*>(&name), size) == 0);
  REQUIRE(::listen(deaf.fd(), 0) == 0);
  Peer filler(SOCK_STREAM, deaf.local());
  const auto flow = f.transport->flow_to(TransportKind::tcp, deaf.local());
  REQUIRE(flow);
  f.engine.advance(4900ms);
  CHECK(f.told.events.empty());
  f.engine.advance(200ms);
  CHECK(f.told.events == Lines{"closed no answer to the attempt to connect"});
}

TEST_CASE("an idle connection ends unless somebody holds it") {
  Fixture f({.tcp_idle = 10s});
  Peer held(SOCK_STREAM, f.tcp), idle(SOCK_STREAM, f.tcp), busy(SOCK_STREAM, f.tcp);
  f.until([&] { return f.told.events.size() == 3; });
  const auto flow_of = [&](const Peer& peer) {
    return *std::find_if(f.told.flows.begin(), f.told.flows.end(), [&](const FlowId& flow) { return flow.remote == peer.local(); });
  };
  f.transport->hold(flow_of(held));
  f.transport->hold(flow_of(held));
  idle.send("\r\n\r\n");  // who never says a word is ended for that
  f.until([&] { return !idle.received().empty(); });
  f.engine.advance(7s);
  busy.send("\r\n\r\n");
  f.until([&] { return !busy.received().empty(); });
  f.engine.advance(7s);
  CHECK(f.told.closed_flows == std::vector<FlowId>{flow_of(idle)});
  CHECK(f.told.events.back() == "closed idle");
  f.engine.advance(7s);
  CHECK(f.told.closed_flows.size() == 2);
  f.transport->release(flow_of(held));
  f.engine.advance(60s);
  CHECK(f.transport->alive(flow_of(held)));
  f.transport->release(flow_of(held));
  f.engine.advance(22s);
  CHECK_FALSE(f.transport->alive(flow_of(held)));
}

TEST_CASE("a far end that has said all it had to say still gets its answers") {
  Fixture f;
  Peer phone(SOCK_STREAM, f.tcp);
  phone.send(kRequest);
  phone.finish();
  f.until_told("message");
  f.engine.run_until_idle();
  const FlowId flow = f.told.flows.back();
  CHECK(f.transport->send(flow, "late answer"));
  f.until([&] { return phone.received() == "late answer"; });
  CHECK_FALSE(f.told.has("closed"));
  f.engine.advance(7s);
  CHECK(f.told.has("closed closed by the far end"));
}

TEST_CASE("a held connection that its far end closed is told at once") {
  Fixture f;
  Peer phone(SOCK_STREAM, f.tcp);
  f.until_told("opened");
  f.transport->hold(f.told.flows.back());
  phone.close();
  f.until_told("closed closed by the far end");
}

TEST_CASE("a connection that is reset is told with its reason") {
  Fixture f;
  Peer phone(SOCK_STREAM, f.tcp);
  f.until_told("opened");
  const linger now{1, 0};
  ::setsockopt(phone.fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  phone.close();
  f.until_told("closed Connection reset by peer");
}

TEST_CASE("a newcomer beyond the number of connections takes the place of the one that was silent for longest") {
  Fixture f({.max_connections = 2});
  Peer silent(SOCK_STREAM, f.tcp), trickling(SOCK_STREAM, f.tcp);
  f.until([&] { return f.told.events.size() == 2; });
  f.engine.advance(5s);
  trickling.send(kRequest);
  f.until_told("message");
  f.engine.advance(5s);
  silent.send("O");  // single bytes are no sign of life
  f.engine.run_until_idle();
  Peer third(SOCK_STREAM, f.tcp);
  f.until([&] { return silent.ended(); });
  CHECK(f.told.closed_flows.size() == 1);
  CHECK_FALSE(trickling.ended());
  CHECK_FALSE(third.ended());
}

TEST_CASE("more connections than allowed are turned away while all are held") {
  Fixture f({.max_connections = 2});
  Peer first(SOCK_STREAM, f.tcp), second(SOCK_STREAM, f.tcp);
  f.until([&] { return f.told.events.size() == 2; });
  for (const auto& flow : f.told.flows) f.transport->hold(flow);
  Peer third(SOCK_STREAM, f.tcp);
  f.until([&] { return third.ended(); });
  CHECK(f.told.events == Lines{"opened", "opened"});
  CHECK_FALSE(f.transport->flow_to(TransportKind::tcp, address("127.0.0.1:9")));
  first.close();
  f.engine.run_until_idle();
  f.engine.advance(6s);
  f.until_told("closed");
  Peer fourth(SOCK_STREAM, f.tcp);
  f.until([&] { return f.told.events.size() == 4; });
}

TEST_CASE("without a descriptor left no connection is accepted, and one second after there is one it is") {
  Fixture f;
  Peer late(SOCK_STREAM, f.tcp, false);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(late.fd() + 1);  // the next number is out of range
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  late.connect(f.tcp);
  const bool said = f.engine.run_until([&] { return f.engine.logged("event=accept_failed"); });
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);  // before anything can fail
  CHECK(said);
  CHECK(f.told.events.empty());
  f.engine.run_until_idle();
  CHECK(std::ranges::count_if(f.engine.lines(), [](const auto& line) { return line.text.find("event=accept_failed") != std::string::npos; }) == 1);
  late.send(kRequest);
  f.engine.advance(1100ms);
  f.until_told("message");
}

TEST_CASE("what an operator counts: messages sent and not sent, connections open and turned away") {
  Fixture f({.max_connections = 1});
  const auto count = [&](const std::string& line) { return f.engine.metrics().prometheus_text().find("\n" + line + "\n") != std::string::npos; };
  Peer datagrams(SOCK_DGRAM, f.udp), held(SOCK_STREAM, f.tcp);
  f.until_told("opened");
  const auto flow = f.told.flows.back();
  f.transport->hold(flow);
  CHECK(f.transport->send(flow, "one"));
  CHECK(f.transport->send(*f.transport->flow_to(TransportKind::udp, datagrams.local()), "two"));
  CHECK(count("jackfield_sip_messages_sent_total{transport=\"tcp\"} 1"));
  CHECK(count("jackfield_sip_messages_sent_total{transport=\"udp\"} 1"));
  CHECK(count("jackfield_sip_connections_count 1"));
  Peer second(SOCK_STREAM, f.tcp);
  f.until([&] { return second.ended(); });
  CHECK(count("jackfield_sip_connections_refused_total 1"));
  held.close();
  f.until_told("closed");
  CHECK_FALSE(f.transport->send(flow, "three"));
  CHECK(count("jackfield_sip_messages_unsent_total 1"));
  CHECK(count("jackfield_sip_connections_count 0"));
}

TEST_CASE("requests of a far end that reads no answers are not read either, until it does") {
  Fixture f;
  const std::string answer(2000, 'x');
  f.told.on_message = [&](const FlowId& flow, std::string_view) { f.transport->send(flow, answer); };
  Peer phone(SOCK_STREAM, f.tcp);
  const auto offer = [&] {
    std::size_t sent = 0;
    while (sent < 200000) {
      if (::send(phone.fd(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL | MSG_DONTWAIT) != static_cast<ssize_t>(kRequest.size())) break;
      if (++sent % 64 == 0) f.engine.run_until_idle();
    }
    return sent;
  };
  const std::size_t sent = offer();
  const auto seen = f.told.bytes.size();
  CHECK(seen < sent);
  f.until([&] { return phone.received().size() == sent * answer.size(); });
  CHECK(f.told.bytes.size() == sent);
}

TEST_CASE("P-32 A socket that many keep busy is not behind; one whose buffer fills is") {
  Fixture f;
  Peer phone(SOCK_DGRAM, f.udp);
  for (int i = 0; i < 530; ++i) phone.send("\r\n\r\n");  // more than a turn reads
  f.until([&] { return !f.told.emptied_reads.empty(); });
  CHECK(f.told.emptied_reads.front());
  f.engine.run_until_idle();
  f.told.emptied_reads.clear();
  const std::string long_one(1200, ' ');
  for (int i = 0; i < 20'000; ++i) phone.send(long_one);  // whatever size the kernel allows, what finds no room is dropped
  f.until([&] { return !f.told.emptied_reads.empty(); });
  CHECK_FALSE(f.told.emptied_reads.front());
  f.engine.run_until_idle();
  CHECK(f.told.emptied_reads.back());
}

TEST_CASE("a far end that does not read fills its queue, and what it has leaves when it reads") {
  Fixture f;
  Peer phone(SOCK_STREAM, f.tcp);
  f.until_told("opened");
  const FlowId flow = f.told.flows.back();
  const std::string block(60000, 'x');
  std::size_t accepted = 0;
  while (f.transport->send(flow, block)) {
    accepted += block.size();
    f.engine.run_until_idle();
    REQUIRE(accepted < 100u << 20);
  }
  CHECK(f.transport->alive(flow));
  f.until([&] { return phone.received().size() == accepted; });
  CHECK(f.transport->send(flow, "again"));
}

}  // namespace jackfield::sip::stack
