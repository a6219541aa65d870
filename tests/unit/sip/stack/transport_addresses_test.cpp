// By which addresses the transport is reached, and what becomes of its listeners.
#include "transport_fixture.h"

namespace jackfield::sip::stack {

namespace {
using Fixture = TransportFixture;
}  // namespace

TEST_CASE("the far side reaches us by the address its route leaves by") {
  Fixture f({}, "127.0.0.3:0");
  const auto flow = *f.transport->flow_to(TransportKind::udp, address("127.0.0.9:5060"));
  CHECK(f.transport->reach(flow).host == "127.0.0.3");
  CHECK(f.transport->reach(flow).port == f.udp.port());

  const auto wild = f.open({.name = "wild", .kind = TransportKind::udp, .bind = address("0.0.0.0:0")});
  const auto by_wild = *f.transport->flow_to(TransportKind::udp, address("127.0.0.9:5060"), wild);
  CHECK(by_wild.listener == wild);
  CHECK(f.transport->reach(by_wild).host.starts_with("127.0.0."));
  CHECK(f.transport->reach(by_wild).port == f.bound(wild).port());

  const auto wild6 = f.open({.name = "wild", .kind = TransportKind::udp, .bind = address("[::]:0")});
  const auto by_wild6 = *f.transport->flow_to(TransportKind::udp, address("[::1]:5060"));
  CHECK(by_wild6.listener == wild6);
  CHECK(f.transport->reach(by_wild6).host == "[::1]");

  // Nowhere to go is still no reason to say 0.0.0.0.
  const FlowId nowhere{address("240.0.0.1:5060"), 0, wild, TransportKind::udp};
  CHECK(f.transport->reach(nowhere).host != "0.0.0.0");
}

TEST_CASE("an accepted connection is reached by the listener's port, not its own") {
  Fixture f({}, "0.0.0.0:0");
  Peer phone(SOCK_STREAM, address("127.0.0.1:0").with_port(f.tcp.port()));
  f.until_told("opened");
  CHECK(f.transport->reach(f.told.flows.back()).host == "127.0.0.1");
  CHECK(f.transport->reach(f.told.flows.back()).port == f.tcp.port());
}

TEST_CASE("an advertised address is used, except towards the local net") {
  Fixture f;
  const auto index = f.open({.name = "nat",
                             .kind = TransportKind::udp,
                             .bind = address("127.0.0.4:0"),
                             .advertise_host = "pbx.example.com",
                             .advertise_port = 5099,
                             .local_net = {*net::Cidr::parse("127.0.0.0/24")}});
  const FlowId outside{address("203.0.113.1:5060"), 0, index, TransportKind::udp};
  CHECK(f.transport->reach(outside).host == "pbx.example.com");
  CHECK(f.transport->reach(outside).port == 5099);
  const FlowId inside{address("127.0.0.77:5060"), 0, index, TransportKind::udp};
  CHECK(f.transport->reach(inside).host == "127.0.0.4");
  CHECK(f.transport->reach(inside).port == f.bound(index).port());
  const auto plain = f.open({.name = "v6", .kind = TransportKind::udp, .bind = address("127.0.0.5:0"), .advertise_host = "2001:db8::1"});
  const FlowId other{address("203.0.113.1:5060"), 0, plain, TransportKind::udp};
  CHECK(f.transport->reach(other).host == "[2001:db8::1]");
  CHECK(f.transport->reach(other).port == f.bound(plain).port());
}

TEST_CASE("our own addresses are known: bound, advertised, and those of the interfaces") {
  Fixture f;
  CHECK(f.transport->is_ours("127.0.0.1", f.udp.port()));
  CHECK_FALSE(f.transport->is_ours("127.0.0.2", f.udp.port()));
  CHECK_FALSE(f.transport->is_ours("127.0.0.1", 1));
  CHECK_FALSE(f.transport->is_ours("127.0.0.1", 0));  // 5060 is not what was bound
  const auto wild = f.open({.name = "wild", .kind = TransportKind::udp, .bind = address("0.0.0.0:0"), .advertise_host = "Pbx.Example.com",
                            .advertise_port = 5060});
  const std::uint16_t port = f.bound(wild).port();
  CHECK(f.transport->is_ours("127.0.0.1", port));
  CHECK(f.transport->is_ours("127.9.9.9", port));
  CHECK_FALSE(f.transport->is_ours("203.0.113.1", port));
  CHECK_FALSE(f.transport->is_ours("[::1]", port));
  CHECK(f.transport->is_ours("pbx.example.COM", 5060));
  CHECK(f.transport->is_ours("pbx.example.com", 0));
  CHECK_FALSE(f.transport->is_ours("pbx.example.com", port));
  f.transport->close(wild);
  CHECK_FALSE(f.transport->is_ours("pbx.example.com", 5060));
}

TEST_CASE("a port that is taken is refused with the name of who has it") {
  Fixture f;
  for (const auto& [kind, taken] : {std::pair(TransportKind::udp, f.udp), std::pair(TransportKind::tcp, f.tcp)}) {
    const auto again = f.transport->open({.name = "again", .kind = kind, .bind = taken});
    REQUIRE_FALSE(again.has_value());
    CHECK(again.error().find("cannot listen on " + std::string(transport_name(kind)) + " " + taken.text()) != std::string::npos);
    CHECK(again.error().find("(pid " + std::to_string(::getpid()) + ")") != std::string::npos);
  }
  CHECK_FALSE(f.transport->open({.name = "far", .kind = TransportKind::udp, .bind = address("203.0.113.1:0")}).has_value());
}

TEST_CASE("IPv4 and IPv6 share a port, each with sockets of its own") {
  Fixture f({}, "0.0.0.0:0");
  f.open({.name = "general", .kind = TransportKind::udp, .bind = address("[::]:0").with_port(f.udp.port())});
  f.open({.name = "general", .kind = TransportKind::tcp, .bind = address("[::]:0").with_port(f.tcp.port())});
  Peer phone(SOCK_DGRAM, address("[::1]:0").with_port(f.udp.port()));
  phone.send(kRequest);
  f.until_told("message");
  CHECK(f.told.flows.back().remote.is_v6());
  CHECK_FALSE(f.transport->flow_to(TransportKind::udp, address("127.0.0.1:0")));  // port 0
}

TEST_CASE("no flow leads where no listener of that kind and family is") {
  Fixture f;
  CHECK_FALSE(f.transport->flow_to(TransportKind::udp, address("[::1]:5060")));
  CHECK_FALSE(f.transport->flow_to(TransportKind::tcp, address("[::1]:5060")));
}

TEST_CASE("a closed listener hears nothing more and its connections end") {
  Fixture f;
  Peer phone(SOCK_STREAM, f.tcp);
  f.until_told("opened");
  f.transport->close(f.tcp_index);
  f.transport->close(f.udp_index);
  CHECK(f.transport->listeners().empty());
  f.until([&] { return phone.ended(); });
  phone.close();
  f.until_told("closed listener closed");
  CHECK_FALSE(f.transport->send({phone.local(), 0, f.udp_index, TransportKind::udp}, "x"));
  CHECK_FALSE(f.transport->alive({phone.local(), 0, f.udp_index, TransportKind::udp}));
}

TEST_CASE("a transport that goes away with open connections leaves nothing behind") {
  TestEngine engine;
  TransportTold told;
  {
    auto transport = make_transport(engine, {}, told);
    const auto index = transport->open({.name = "general", .kind = TransportKind::tcp, .bind = address("127.0.0.1:0")});
    const net::Address tcp = transport->listeners().front().second.bind;
    REQUIRE(index);
    Peer phone(SOCK_STREAM, tcp);
    REQUIRE(engine.run_until([&] { return told.has("opened"); }));
    phone.send(kRequest);
    transport->send(told.flows.back(), "last words");
  }
  engine.run_until_idle();
  CHECK(engine.timers().running() == 0);
  CHECK(told.events == Lines{"opened"});
}

}  // namespace jackfield::sip::stack
