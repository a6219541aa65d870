#include <fmt/format.h>

#include <algorithm>

#include "line/services.h"
#include "sip/uri.h"

namespace jackfield::sip::line {

namespace {

constexpr Duration kTurn{5000};  // for a server where there is another to go to and nothing says how long

}  // namespace

Context::~Context() {
  use_flow({});
  for (const auto& timer : timers)
    if (timer) core().engine.timers().stop(timer);
}

void Context::start(Timer timer, Duration delay) {
  stop(timer);
  const auto index = static_cast<std::size_t>(timer);
  timers[index] = core().engine.timers().start(services.sinks[index], number, delay);
}

void Context::stop(Timer timer) {
  auto& handle = timers[static_cast<std::size_t>(timer)];
  if (handle) core().engine.timers().stop(handle);
  handle = {};
}

std::optional<std::uint16_t> Context::listener(stack::TransportKind transport) const {
  if (settings.local_host.empty() && settings.local_port == 0) return std::nullopt;
  const auto host = net::Address::parse(settings.local_host);
  for (const auto& [index, options] : core().transport.listeners()) {
    const bool fits = options.kind == transport && (!host || options.bind.same_host(*host) || options.bind.is_unspecified());
    if (fits && (settings.local_port == 0 || options.bind.port() == settings.local_port)) return index;
  }
  return std::nullopt;
}

std::optional<stack::FlowId> Context::flow_to(const stack::Hop& hop) const {
  // A connection that is open, or opening, is used on: what the server sends comes back by it.
  if (flow && is_reliable(flow.kind) && flow.kind == hop.transport && flow.remote == hop.address && core().transport.alive(flow)) return flow;
  return core().transport.flow_to(hop.transport, hop.address, listener(hop.transport));
}

void Context::use_flow(const stack::FlowId& next) {
  if (flow == next) return;
  if (flow) {
    if (is_reliable(flow.kind)) core().transport.release(flow);
    const auto [begin, end] = services.by_flow.equal_range(flow);
    services.by_flow.erase(std::find_if(begin, end, [this](const auto& user) { return user.second == number; }));
  }
  flow = next;
  if (flow) services.by_flow.emplace(flow, number);
  if (flow && is_reliable(flow.kind)) core().transport.hold(flow);
}

stack::ClientTransactionId Context::send(Slot slot, const stack::FlowId& to, Method method, std::string_view branch, std::string_view bytes) {
  const auto transaction = core().transactions.send(to, method, branch, bytes, settings.initial_timeout);
  if (transaction) services.asked[transaction.value] = {number, slot};
  return transaction;
}

void Context::abandon(stack::ClientTransactionId transaction) {
  if (!transaction) return;
  core().transactions.abandon(transaction);
  services.asked.erase(transaction.value);
}

Duration Context::limit() const {
  if (settings.total_timeout.count() != 0) return settings.total_timeout;
  return servers.alternatives() ? kTurn : Duration(0);
}

bool Context::note_seen_address(const Message& response, const stack::FlowId& to) {
  if (settings.local_address != LocalAddress::seen || !to || !core().listener(to).options.advertise_host.empty()) return false;
  const auto& via = response.top_via();
  const auto received = via ? net::Address::parse(via->received) : std::nullopt;
  if (!received) return false;
  const auto reach = core().transport.reach(to);
  const auto own = net::Address::parse(reach.host, reach.port);
  // A connection's port is good for this connection only; the server writes to our listener.
  const auto port = is_reliable(to.kind) || via->rport == 0 ? reach.port : via->rport;
  const auto seen = own && own->same_host(*received) && port == reach.port ? std::string() : fmt::format("{}:{}", received->uri_host(), port);
  if (seen == seen_host) return false;
  core().log.info("event=connection-address connection={} seen={}", log_value(settings.name), seen.empty() ? "own" : seen);
  seen_host = seen;
  return true;
}

std::string Context::contact_parameter() const {
  std::string out = ";line=";
  stack::append_token(out, stack::keyed_hash<2, 4>(services.contact_key, settings.name));
  return out;
}

std::string Context::contact_host(const stack::FlowId& to) const {
  if (settings.local_address == LocalAddress::given) return settings.given_address;
  if (settings.local_address == LocalAddress::seen && !seen_host.empty()) return seen_host;
  const auto reach = core().transport.reach(to);
  return fmt::format("{}:{}", reach.host, reach.port);
}

std::string Context::contact(const stack::FlowId& to) const {
  const bool datagrams = to.kind == stack::TransportKind::udp;
  return fmt::format("sip:{}@{}{}{}", escape_user(settings.username), contact_host(to), datagrams ? "" : ";transport=",
                     datagrams ? "" : stack::transport_parameter(to.kind));
}

std::string Context::registered_contact(const stack::FlowId& to) const { return contact(to) + contact_parameter(); }

}  // namespace jackfield::sip::line
