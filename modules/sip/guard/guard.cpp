#include "guard/guard.h"

#include <algorithm>
#include <chrono>

#include "guard/request_peek.h"
#include "line/connections.h"
#include "sip/uri.h"

namespace jackfield::sip::guard {
namespace {

/// Where users are registered, one misconfigured phone among them must not shut out the others.
constexpr unsigned kKnownFactor = 10;
constexpr std::chrono::minutes kProvenAtLeast{60};

stack::HashKey random_key(Random& random) {
  const auto first = random.next();
  return {first, random.next()};
}

Counter& dropped(Engine& engine, std::string_view why) {
  return engine.metrics().counter("jackfield_sip_dropped_messages_total", "Messages dropped unread.", {{"reason", std::string(why)}});
}

}  // namespace

Guard::Guard(Engine& engine)
    : engine_(engine),
      log_(engine.log("sip")),
      secret_(random_key(engine.random())),
      flood_(secret_),
      bans_(engine),
      failures_(secret_),
      dropped_flood_(dropped(engine, "flood")),
      dropped_banned_(dropped(engine, "banned")),
      ignored_(engine.metrics().counter("jackfield_sip_ignored_requests_total", "Requests of scanners, which get no answer.")),
      shed_(engine.metrics().counter("jackfield_sip_shed_requests_total", "New calls and registrations refused because the server was behind.")),
      banned_(engine.metrics().counter("jackfield_sip_bans_total", "Addresses banned for wrong credentials.")),
      bans_gauge_(engine.metrics().gauge("jackfield_sip_bans_count", "Addresses banned now.", {}, [this] { return static_cast<double>(bans_.list().size()); })),
      share_gauge_(engine.metrics().gauge("jackfield_sip_accepted_ratio", "Share of new work that is accepted: 1 unless the server is behind.", {}, [this] { return overload_.share(); })) {}

void Guard::open() { bans_.open(engine_.state_dir() / "sip.bans.journal"); }

ProvenFlows::Minutes Guard::minutes() const { return std::chrono::duration_cast<std::chrono::minutes>(now().time_since_epoch()).count(); }
Failures::Seconds Guard::seconds() const { return std::chrono::duration_cast<std::chrono::seconds>(now().time_since_epoch()).count(); }
bool Guard::is_proven(const stack::FlowId& flow) const { return proven_.has(flow_key(flow, secret_), minutes()); }

// D7: a far end that many calls share is never locked out for one of them.
static bool is_connections(const Core& core, const net::Address& source) { return core.connections && core.connections->is_source(source); }

bool Guard::is_spared(std::uint16_t listener, const net::Address& source) const {
  if (settings().is_exempt(source) || is_connections(*core_, source)) return true;
  return listener < core_->listeners.size() && core_->listeners[listener].access.is_trusted(source);
}

bool Guard::is_spared(const net::Address& source) const {
  if (settings().is_exempt(source) || is_connections(*core_, source)) return true;
  return std::any_of(core_->listeners.begin(), core_->listeners.end(), [&](const ListenerSettings& listener) { return listener.access.is_trusted(source); });
}

bool Guard::admits(const stack::FlowId& flow, std::string_view bytes) {
  const SourceKey source = source_key(flow.remote);
  if (bans_.any() && bans_.active(source) && !is_proven(flow) && !is_spared(flow.listener, flow.remote)) {
    dropped_banned_.add();
    return false;
  }
  const auto& limits = settings();
  if (limits.flood_rate == 0) return true;
  const std::int64_t now_us = std::chrono::duration_cast<std::chrono::microseconds>(now().time_since_epoch()).count();
  return flood_.take(source, now_us, limits.flood) || admits_flood(flow, bytes);
}

// Its host has sent too much. Looked at only then: whether that may be, and who else is behind that address.
bool Guard::admits_flood(const stack::FlowId& flow, std::string_view bytes) {
  if (is_spared(flow.listener, flow.remote)) return true;
  if (is_proven(flow)) {
    const std::int64_t now_us = std::chrono::duration_cast<std::chrono::microseconds>(now().time_since_epoch()).count();
    if (flood_.take(flow_key(flow, secret_), now_us, settings().flood)) return true;
    if (settings().is_emergency(invited_number(bytes))) return true;
  }
  dropped_flood_.add();
  tell_flood(flow, source_key(flow.remote));
  return false;
}

/// One line a minute for a source, as far as 256 places tell them apart.
void Guard::tell_flood(const stack::FlowId& flow, SourceKey source) {
  if (const auto minute = minutes(); minute != told_minute_) {
    told_minute_ = minute;
    told_floods_.fill(0);
  }
  auto& told = told_floods_[spread(source, secret_) % told_floods_.size()];
  if (std::exchange(told, source) == source) return;
  log_.warning("event=flood address={} transport={} limit={} hint=\"flood_rate= and exempt= in [guard] of sip.conf\"", flow.remote.text(),
               stack::transport_name(flow.kind), settings().flood_rate);
}

stack::TransportEvents::Admit Guard::admits_connection(std::uint16_t listener, const net::Address& source) {
  using Admit = stack::TransportEvents::Admit;
  if (is_spared(listener, source)) return Admit::always;
  if (!bans_.any() || !bans_.active(source_key(source))) return Admit::within_limits;
  dropped_banned_.add();
  return Admit::no;
}

void Guard::read(std::uint16_t listener, bool emptied) {
  overload_.read(listener, emptied, now(), settings().overload);
  if (overload_.is_shedding() == told_overload_) return;
  told_overload_ = overload_.is_shedding();
  if (told_overload_) log_.warning("event=overload state=begin queued={} waiting={}", engine_.bus().queued(), engine_.bus().in_flight());
  else log_.warning("event=overload state=end shed={}", shed_.value());
}

void Guard::closed(const stack::FlowId& flow) {
  if (stack::is_reliable(flow.kind)) proven_.forget(flow_key(flow, secret_));
}

bool Guard::ignores(const Message& request) {
  if (settings().scanners.empty() || !settings().scanners.any_in(request.value(HeaderId::user_agent))) return false;
  ignored_.add();
  return true;
}

bool Guard::is_emergency(const Message& request) const {
  if (settings().emergency.empty() || request.method() != Method::invite || !request.request_uri()) return false;
  return settings().is_emergency(unescape(request.request_uri()->user));
}

bool Guard::sheds(const stack::IncomingRequest& request) {
  const auto limit = settings().max_waiting;
  const bool queues = limit != 0 && engine_.bus().in_flight() + engine_.bus().queued() >= limit;
  if (!queues && !overload_.is_shedding()) return false;
  if (is_emergency(request.message) || (!queues && (answers_challenge(request.message) || overload_.accept()))) return false;
  shed_.add();
  return true;
}

Guard::Consequence Guard::wrong(const stack::FlowId& flow, std::string_view username, std::string_view why) {
  last_failures_.note(username, engine_.clock().wall(), flow.remote, why);
  if (is_spared(flow.listener, flow.remote)) return {};
  const auto& limits = settings();
  const SourceKey source = source_key(flow.remote), own = flow_key(flow, secret_);
  const auto window = limits.ban_window.count();
  const bool known = proven_.has(spread(source, secret_), minutes());
  const unsigned of_source = failures_.add(source, seconds(), window);
  const unsigned of_flow = known ? failures_.add(own, seconds(), window) : of_source;
  if (limits.ban_after != 0) {
    // Whoever guesses over his own registered flow is not spared for being registered.
    if (known && of_flow >= limits.ban_after) proven_.forget(own);
    if (of_source >= limits.ban_after * (known ? kKnownFactor : 1) && !bans_.active(source)) {
      const auto doubled = limits.ban_time * (std::int64_t{1} << std::min(bans_.times(flow.remote), 16u));
      const auto& ban = bans_.add(flow.remote, std::min<std::chrono::seconds>(doubled, limits.ban_max), "wrong credentials");
      failures_.forget(source);
      banned_.add();
      last_failures_.note(username, engine_.clock().wall(), flow.remote, "banned for wrong credentials");
      log_.warning("event=banned address={} transport={} user={} failures={} seconds={} times={}", flow.remote.text(), stack::transport_name(flow.kind),
                   log_value(username), of_source, std::chrono::duration_cast<std::chrono::seconds>(ban.until - ban.since).count(), ban.times);
      return {.banned = true};
    }
  }
  if (of_flow < 2 || limits.delay == Duration(0)) return {};
  return {.delay = std::min(limits.delay_max, limits.delay * (std::int64_t{1} << std::min(of_flow - 2, 16u)))};
}

void Guard::proved(const stack::FlowId& flow) {
  const auto lasting = std::max(kProvenAtLeast, std::chrono::ceil<std::chrono::minutes>(core_->settings->registrar.expires_max)).count();
  proven_.note(flow_key(flow, secret_), minutes(), minutes() + lasting);
  proven_.note(spread(source_key(flow.remote), secret_), minutes(), minutes() + lasting);  // the host has users
}

}  // namespace jackfield::sip::guard
