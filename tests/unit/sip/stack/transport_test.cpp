// The transport's sockets by themselves: what reaches the layer above, what reaches the far end, and how flows end.
#include "stack/transport.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stack_support.h"
#include "support/test_engine.h"

namespace jackfield::sip::stack {
using namespace std::chrono_literals;

namespace {

using Lines = std::vector<std::string>;

/// Notes what the transport tells; answers as told.
class Told : public TransportEvents {
 public:
  Lines events;
  std::vector<FlowId> flows;
  std::vector<std::string> bytes;
  std::function<void(const FlowId&, std::string_view)> on_message;
  std::function<void(const FlowId&)> on_unframed;

  void message(const FlowId& flow, std::string_view text) override {
    events.push_back("message " + first_line(text).substr(0, 20));
    flows.push_back(flow);
    bytes.emplace_back(text);
    if (on_message) on_message(flow, text);
  }
  void unframed(const FlowId& flow, std::string_view, int status, std::string_view) override {
    events.push_back("unframed " + std::to_string(status));
    if (on_unframed) on_unframed(flow);
  }
  void opened(const FlowId& flow) override {
    events.push_back("opened");
    flows.push_back(flow);
  }
  void closed(const FlowId& flow, std::string_view reason) override {
    events.push_back("closed " + std::string(reason));
    closed_flows.push_back(flow);
  }
  std::vector<FlowId> closed_flows;
  bool has(std::string_view beginning) const {
    return std::any_of(events.begin(), events.end(), [&](const std::string& event) { return event.starts_with(beginning); });
  }
};

struct Fixture {
  std::unique_ptr<TestEngine> own;
  TestEngine& engine;
  Told told;
  std::unique_ptr<Transport> transport;
  net::Address udp, tcp;
  std::uint16_t udp_index = 0, tcp_index = 0;

  explicit Fixture(TransportOptions options = {}, std::string_view bind = "127.0.0.1:0", TestEngine* shared = nullptr)
      : own(shared ? nullptr : std::make_unique<TestEngine>()), engine(shared ? *shared : *own) {
    transport = make_transport(engine, options, told);
    udp_index = open({.name = "general", .kind = TransportKind::udp, .bind = address(bind)});
    tcp_index = open({.name = "general", .kind = TransportKind::tcp, .bind = address(bind)});
    udp = bound(udp_index);
    tcp = bound(tcp_index);
  }
  std::uint16_t open(const ListenerOptions& options) {
    const auto index = transport->open(options);
    REQUIRE_MESSAGE(index.has_value(), index.error());
    return *index;
  }
  net::Address bound(std::uint16_t index) {
    for (const auto& [number, options] : transport->listeners())
      if (number == index) return options.bind;
    return {};
  }
  template <class Done>
  void until(Done done) {
    REQUIRE(engine.run_until(done));
  }
  void until_told(std::string_view beginning) {
    until([&] { return told.has(beginning); });
  }
};

/// A far end of plain system calls.
class Peer {
 public:
  Peer(int type, const net::Address& to, bool connect = true) {
    fd_ = ::socket(to.is_v6() ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK, 0);
    REQUIRE(fd_ >= 0);
    if (connect) this->connect(to);
  }
  explicit Peer(int fd) : fd_(fd) {}
  Peer(const Peer&) = delete;
  ~Peer() { close(); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void connect(const net::Address& to) {
    sockaddr_storage name;
    const socklen_t size = to.to(name);
    (void)::connect(fd_, reinterpret_cast<const sockaddr*>(&name), size);
    pollfd ready{fd_, POLLOUT, 0};
    ::poll(&ready, 1, 5000);
  }
  net::Address local() const {
    sockaddr_storage name;
    socklen_t size = sizeof name;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&name), &size);
    return net::Address::from(reinterpret_cast<const sockaddr&>(name));
  }
  void send(std::string_view bytes) const {
    REQUIRE(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  void finish() const { ::shutdown(fd_, SHUT_WR); }
  /// What has come so far.
  std::string& received() {
    char buffer[65536];
    for (;;) {
      const ssize_t size = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
      if (size == 0) ended_ = true;
      if (size < 0 && errno != EAGAIN) ended_ = reset_ = true;
      if (size <= 0) return received_;
      received_.append(buffer, static_cast<std::size_t>(size));
      ++pieces_;
    }
  }
  bool ended() { return received(), ended_; }
  bool reset() { return received(), reset_; }
  int pieces() { return received(), pieces_; }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
  int pieces_ = 0;
  bool ended_ = false, reset_ = false;
  std::string received_;
};

const std::string kRequest = RequestText{.method = "OPTIONS"}.text();

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

// ---- addresses

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
  Told told;
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
