// The transport's sockets by themselves: what reaches the layer above, what reaches the far end, and how flows end.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stack/transport.h"
#include "stack_support.h"
#include "support/test_engine.h"

namespace jackfield::sip::stack {
using namespace std::chrono_literals;

using Lines = std::vector<std::string>;

/// Notes what the transport tells; answers as told.
class TransportTold : public TransportEvents {
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
  void read(std::uint16_t, bool emptied) override { emptied_reads.push_back(emptied); }
  std::vector<FlowId> closed_flows;
  std::vector<bool> emptied_reads;
  bool has(std::string_view beginning) const {
    return std::any_of(events.begin(), events.end(), [&](const std::string& event) { return event.starts_with(beginning); });
  }
};

struct TransportFixture {
  std::unique_ptr<TestEngine> own;
  TestEngine& engine;
  TransportTold told;
  std::unique_ptr<Transport> transport;
  net::Address udp, tcp;
  std::uint16_t udp_index = 0, tcp_index = 0;

  explicit TransportFixture(TransportOptions options = {}, std::string_view bind = "127.0.0.1:0", TestEngine* shared = nullptr)
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

inline const std::string kRequest = RequestText{.method = "OPTIONS"}.text();

}  // namespace jackfield::sip::stack
