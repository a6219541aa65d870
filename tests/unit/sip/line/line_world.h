// Connections over the real transaction layer, a network of memory that delays, loses and doubles as it is told, and registrars that
// keep bindings, challenge, refuse, fall silent and come back.
#pragma once

#include <jackfield/messages/engine.h>
#include <jackfield/messages/user.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "line/lines.h"
#include "settings.h"
#include "stack/auth.h"
#include "support/test_engine.h"
#include "unit/sip/stack/stack_support.h"

namespace jackfield::sip::line {

using namespace std::chrono_literals;

class World;

/// A registrar at one address.
struct FarServer {
  // What it does.
  bool silent = false;
  bool refused = false;              ///< the port is closed: ICMP says so
  std::map<std::string, int> codes;  ///< by method, in place of 200
  std::uint32_t most = 3600, least = 0;
  std::string password;              ///< not empty: it challenges
  std::string challenge;             ///< whole header lines: it challenges with these whoever brings no credentials, and believes the others
  bool insatiable = false;           ///< whatever is asked for is too brief
  bool stale_once = false;           ///< the first good answer comes too late
  std::string headers;               ///< of its 2xx
  std::string redirect;              ///< 302 to there
  std::string seen_as;               ///< `host:port` it says our requests come from
  std::uint32_t retry_after = 0;

  struct Binding {
    std::string contact;
    MonoTime until;
    std::string user = "101";  ///< whose it is
  };
  std::map<std::string, Binding> bindings;  ///< by contact URI
  std::vector<std::string> requests;        ///< whole, in order; retransmissions too

  void restart() { bindings.clear(), numbers_.clear(), nonce_ += "x"; }
  std::optional<std::string> answer(World& world, std::string_view bytes);
  std::size_t count(std::string_view method) const;

 private:
  std::string nonce_ = "n";
  std::map<std::string, std::uint32_t> numbers_;  // the highest CSeq, by Call-ID
};

/// Names to addresses, as the test says; A records only, and SRV.
class FakeDns final : public stack::Dns {
 public:
  explicit FakeDns(Engine& engine) : engine_(engine) {}
  std::map<std::string, stack::DnsAnswer> a, srv;
  int asked = 0;
  void ask(const std::string& name, stack::DnsType type, Done done) override {
    ++asked;
    const auto& table = type == stack::DnsType::srv ? srv : a;
    const auto found = type == stack::DnsType::naptr || type == stack::DnsType::aaaa ? table.end() : table.find(name);
    stack::DnsAnswer answer{.status = stack::DnsAnswer::Status::none, .ttl = 60s};
    if (found != table.end()) answer = found->second;
    engine_.post([answer, done = std::move(done)] { done(answer); });
  }

 private:
  Engine& engine_;
};

class World : public stack::TransactionUser {
 public:
  using Parameters = std::map<std::string, std::string>;

  TestEngine engine;
  std::shared_ptr<SipSettings> settings = std::make_shared<SipSettings>();
  stack::FakeTransport network;
  stack::Transactions transactions{engine, {}};
  Core core;
  FakeDns* dns = nullptr;
  stack::Resolver resolver;
  std::optional<Lines> lines;
  std::map<std::string, FarServer> servers;  ///< by `host:port`
  std::vector<std::string> told;             ///< user.notify, as "acc true" or "acc false reason"

  // The network: in percent, and how long a packet takes at most.
  unsigned loss = 0, doubled = 0;
  Duration delay{0};

  World() : World(std::nullopt) {}
  explicit World(std::optional<std::uint64_t> seed);
  ~World() override;

  FarServer& server(const std::string& address) { return servers[address]; }
  /// user.login for a registration of user 101 at 192.0.2.10, with what the test adds or removes (an empty value).
  bool login(const std::string& name, const Parameters& with = {}, std::string* reason = nullptr);
  bool logout(const std::string& name);
  std::string command(const std::string& line);
  std::string status(const std::string& module);
  bool online(const std::string& name) const { return lines->find(name) && lines->find(name)->online(); }
  /// Whole requests of that method to any server, in order, without retransmissions.
  std::vector<std::string> sent(std::string_view method) const;
  void run(Duration by) { engine.advance(by); }

  std::vector<std::string> all_sent;  ///< whole requests in the order in which they left, each once
  std::vector<MonoTime> sent_at;

 private:
  struct Packet {
    stack::FlowId flow;
    std::string bytes;
    bool to_server;
  };
  void leaves(const stack::FlowId& flow, std::string_view bytes);
  void carry(Packet packet);
  void arrive(std::uint64_t id);

  void request(const stack::IncomingRequest&) override {}
  void cancelled(stack::ServerTransactionId, const Message&) override {}
  void server_failed(stack::ServerTransactionId) override {}
  void response(stack::ClientTransactionId id, const Message& response, const stack::FlowId& flow) override { lines->response(id, response, flow); }
  void client_failed(stack::ClientTransactionId id, stack::ClientFailure failure) override { lines->client_failed(id, failure); }
  void stray_response(const Message&, const stack::FlowId&) override {}
  void flow_closed(const stack::FlowId& flow, std::string_view) override { lines->flow_closed(flow); }

  std::map<std::uint64_t, Packet> packets_;
  std::uint64_t last_packet_ = 0;
  TimerSinkId sink_;
  std::vector<Bus::Subscription> handlers_;
};

/// The value of a request's first header of that name.
std::string header_of(std::string_view bytes, std::string_view name);
std::vector<std::string> headers_of(std::string_view bytes, std::string_view name);
std::uint32_t cseq_of(std::string_view bytes);

}  // namespace jackfield::sip::line
