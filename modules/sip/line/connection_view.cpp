// What others see of a connection: the way out for a call, and what people are shown.
#include <algorithm>
#include <string>

#include "line/connection.h"

namespace jackfield::sip::line {

std::optional<Exit> Connection::exit() const {
  const auto& settings = context_.settings;
  if (!usable() || leaving_ || settings.type == Type::inbound || settings.servers.empty()) return std::nullopt;
  Exit out;
  const auto& servers = context_.servers;
  std::vector<ServerIndex> order;
  const auto add = [&](ServerIndex server) {
    if (std::ranges::find(order, server) == order.end()) order.push_back(server);
  };
  if (settings.homing == Homing::invite) add(0);
  for (std::size_t step = 0; step < servers.size() && (step == 0 || settings.failover); ++step) add((servers.active() + step) % servers.size());
  for (const auto index : order) {
    const auto& way = servers.way(index, Servers::Purpose::calls);
    Exit::Server server{.index = index, .destination = way.destination(), .hops = way.hops(), .host = {}, .route = {}};
    if (const auto* current = way.current()) std::ranges::rotate(server.hops, std::ranges::find(server.hops, *current));
    server.host = settings.domain.empty() ? uri_host(settings.servers[index].proxy) : settings.domain;
    if (!settings.outbound_route.empty()) server.route.push_back(settings.outbound_route);
    if (settings.registers() && registration_.registered() && registration_.server() == index)
      server.route.insert(server.route.end(), registration_.service_route().begin(), registration_.service_route().end());
    out.servers.push_back(std::move(server));
  }
  out.user = settings.username;
  out.display = settings.description;
  out.contact_user = settings.username;
  if (settings.local_address == LocalAddress::given) out.contact_host = settings.given_address;
  else if (settings.local_address == LocalAddress::seen) out.contact_host = context_.seen_host;
  out.listener = context_.flow ? std::optional(context_.flow.listener) : context_.listener(settings.transport.value_or(stack::TransportKind::udp));
  out.credentials = {settings.authname, settings.password};
  out.initial_timeout = settings.initial_timeout;
  out.total_timeout = context_.limit();
  out.parameters = settings.outbound_parameters;
  return out;
}

std::string Connection::state() const {
  if (!context_.settings.enabled) return "disabled";
  if (context_.settings.registers()) return std::string(state_name(registration_.state()));
  if (stopped_) return "stopped";
  if (context_.settings.type == Type::inbound) return "inbound";
  return reachable_ ? "online" : "unreachable";
}

Description Connection::describe() const {
  const auto& settings = context_.settings;
  Description out{.name = settings.name, .type = std::string(type_name(settings.type)), .state = state(), .reason = {}};
  out.online = online();
  out.reason = settings.registers() ? registration_.reason() : reachable_ ? std::string() : trouble_;
  out.since = std::chrono::duration_cast<std::chrono::seconds>(context_.now() - since_);
  if (!settings.servers.empty()) out.server = uri_host(settings.registers() ? settings.servers[context_.servers.active()].registrar : settings.servers[context_.servers.active()].proxy);
  if (settings.registers() && registration_.hop()) out.address = registration_.hop()->address.text();
  else if (!settings.servers.empty())
    if (const auto* current = context_.servers.way(context_.servers.active(), Servers::Purpose::calls).current()) out.address = current->address.text();
  if (context_.flow) out.local = context_.contact_host(context_.flow);
  if (registration_.next_attempt()) out.next = *registration_.next_attempt() - context_.now();
  if (registration_.registered()) out.granted = registration_.granted();
  return out;
}

}  // namespace jackfield::sip::line
