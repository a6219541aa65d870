#include "line/servers.h"

#include <algorithm>

namespace jackfield::sip::line {

namespace {

bool same_set(const std::vector<stack::Hop>& a, const std::vector<stack::Hop>& b) {
  return a.size() == b.size() && std::ranges::all_of(a, [&](const stack::Hop& each) { return std::ranges::find(b, each) != b.end(); });
}

}  // namespace

void Way::resolved(const std::vector<stack::Hop>& hops) {
  if (same_set(hops, hops_)) return;
  const auto used = current() ? std::optional(*current()) : std::nullopt;
  hops_ = hops;
  current_ = 0;
  if (used) use(*used);
}

bool Way::advance() {
  if (++current_ < hops_.size()) return true;
  current_ = 0;
  return false;
}

bool Way::use(const stack::Hop& hop) {
  const auto found = std::ranges::find(hops_, hop);
  if (found == hops_.end()) return false;
  current_ = static_cast<std::size_t>(found - hops_.begin());
  return true;
}

Servers::Servers(const ConnectionSettings& settings) : failover_(settings.failover) {
  for (const auto& server : settings.servers) {
    auto& added = servers_.emplace_back(Server{Way(server.proxy), std::nullopt});
    if (server.registrar != server.proxy) added.registrar.emplace(server.registrar);
  }
  if (!settings.outbound.host.empty()) outbound_.emplace(settings.outbound);
}

bool Servers::alternatives() const {
  if (failover_ && servers_.size() > 1) return true;
  return !servers_.empty() && way(active_, Purpose::registration).hops().size() > 1;
}

Way& Servers::way(ServerIndex server, Purpose purpose) {
  if (outbound_) return *outbound_;
  auto& found = servers_.at(server);
  return purpose == Purpose::registration && found.registrar ? *found.registrar : found.proxy;
}

const Way& Servers::way(ServerIndex server, Purpose purpose) const { return const_cast<Servers*>(this)->way(server, purpose); }

bool Servers::move_on(Purpose purpose) {
  if (way(active_, purpose).advance()) return true;
  ++failures_;
  if (failover_) active_ = (active_ + 1) % servers_.size();
  way(active_, purpose).rewind();
  return failover_ && failures_ < servers_.size();
}

void Servers::make_active(ServerIndex server) {
  if (server < servers_.size()) active_ = server;
  failures_ = 0;
}

}  // namespace jackfield::sip::line
