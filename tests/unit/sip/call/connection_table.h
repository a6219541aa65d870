// Connections out of a table, which note what calls say of their servers.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "line/connections.h"
#include "two_phones.h"
#include "unit/sip/stack/dns_support.h"

namespace jackfield::sip::call {

class ConnectionTable final : public line::Connections {
 public:
  struct Own final : line::Line {
    line::ConnectionSettings own;
    line::Exit exit;
    bool is_online = true;
    const line::ConnectionSettings& settings() const override { return own; }
    bool online() const override { return is_online; }
  };
  std::map<std::string, Own, std::less<>> all;
  std::vector<std::string> told;

  const line::Line* find(std::string_view name) const override {
    const auto found = all.find(name);
    return found == all.end() ? nullptr : &found->second;
  }
  const line::Line* entry(const stack::FlowId& flow, const Message&) const override {
    for (const auto& [name, line] : all)
      if (line.own.type != line::Type::upstream && is_of(line, flow.remote)) return &line;
    return nullptr;
  }
  const line::Line* upstream_at(const net::Address& source) const override {
    for (const auto& [name, line] : all)
      if (line.own.type == line::Type::upstream && is_of(line, source)) return &line;
    return nullptr;
  }
  bool is_source(const net::Address& source) const override {
    return std::any_of(all.begin(), all.end(), [&](const auto& line) { return is_of(line.second, source); });
  }
  std::optional<line::Exit> exit(std::string_view name) const override {
    const auto found = all.find(name);
    if (found == all.end() || !found->second.is_online) return std::nullopt;
    return found->second.exit;
  }
  void failed(std::string_view name, line::ServerIndex server, const stack::Hop*, line::Failure failure) override {
    told.push_back(fmt::format("{} {} {}", name, server, failure == line::Failure::refused ? "refused" : "unreachable"));
  }
  void answered(std::string_view name, line::ServerIndex server, const stack::Hop& hop) override {
    told.push_back(fmt::format("{} {} answered {}", name, server, hop.address.text()));
  }

 private:
  static bool is_of(const Own& line, const net::Address& source) {
    return std::any_of(line.own.allowed.begin(), line.own.allowed.end(), [&](const net::Cidr& network) { return network.contains(source); });
  }
};

/// Ann calls by the connection `up`, which has three servers.
struct OverLine : TwoPhones {
  ConnectionTable table;
  stack::Zone zone;
  stack::Resolver resolver{engine, {}, std::make_unique<stack::ZoneDns>(zone), [](stack::TransportKind, bool ipv6) { return !ipv6; }};
  FarEnd main{*this, "203.0.113.1:5060"}, second{*this, "203.0.113.2:5060"}, third{*this, "203.0.113.3:5060"};
  ConnectionTable::Own& up = table.all["up"];
  std::string target = "line/1234";

  OverLine() {
    core.connections = &table;
    core.resolver = &resolver;
    up.own.name = "up";
    up.own.username = "jack";
    up.exit.user = up.exit.contact_user = "jack";
    up.exit.credentials = {"jack", "secret"};
    up.exit.total_timeout = 1000ms;
    for (FarEnd* server : {&main, &second, &third}) {
      server->name = "1234";
      const auto index = up.exit.servers.size();
      const stack::Hop hop{stack::TransportKind::udp, server->flow.remote, true};
      up.exit.servers.push_back({index, {server->flow.remote.host(), 5060}, {hop}, server->flow.remote.host(), {}});
    }
    route = [this](BusMessage& message) {
      message.set_retvalue(target);
      message.set("line", "up");
      return true;
    };
  }
  ~OverLine() override { calls->stop(); }

  /// A refusal as a server without a phone sends it.
  void refuse_at(FarEnd& server, int code, const std::string& extra = {}) {
    server.answer(server.take_invite(), code, {}, {}, extra);
    server.expect("ACK");
  }
  void answer_at(FarEnd& server) {
    const auto invite = server.take_invite();
    server.answer(invite, 180);
    ann.expect("SIP/2.0 180");
    server.answer(invite, 200, sdp("answer"));
    server.expect("ACK");
    ann.take_answer(ann.expect("SIP/2.0 200"));
    ann.ack();
  }
  void hang_up_at(FarEnd& server) {
    ann.request("BYE");
    ann.expect("SIP/2.0 200");
    server.answer(server.expect("BYE"), 200);
    nothing_left();
  }
  void nothing_left() {
    for (FarEnd* end : {&ann, &main, &second, &third}) end->expect_nothing();
    check_all_gone();
  }
};

}  // namespace jackfield::sip::call
