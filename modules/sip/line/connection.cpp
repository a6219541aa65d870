#include "line/connection.h"

#include <jackfield/messages/user.h>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace jackfield::sip::line {

namespace {

namespace param = messages::param;
using namespace std::chrono_literals;

constexpr Duration kNatKeepalive{25000};  // COMPAT §6
constexpr Duration kBetweenChecks{5000};  // a server that refuses many calls is looked at once

}  // namespace

Connection::Connection(Services& services, LineNumber number, ConnectionSettings settings)
    : context_(services, number, std::move(settings)), since_(context_.now()) {
  if (context_.settings.type == Type::inbound) return;
  gauge_ = services.core.engine.metrics().gauge("jackfield_sip_connection_online_state", "1 while a connection is registered or, of a trunk, within reach.",
                                                {{"connection", context_.settings.name}}, [this] { return online() ? 1.0 : 0.0; });
}

Connection::~Connection() = default;

bool Connection::online() const {
  if (!usable() || leaving_) return false;
  switch (context_.settings.type) {
    case Type::registration: return registration_.registered();
    case Type::trunk:
    case Type::upstream: return reachable_;
    case Type::inbound: return true;
  }
  return false;
}

// Its life.

void Connection::begin() {
  if (usable()) start();
}

void Connection::start() {
  look_up_servers();
  if (context_.settings.registers()) return registration_.begin();
  reachable_ = true;
  set_online(context_.settings.type != Type::inbound, 0, {});
  if (context_.settings.qualify.count() != 0 && context_.servers.size() != 0) context_.start(Timer::qualify, context_.services.jitter(0ms, context_.settings.qualify));
  start_homing();
  start_keepalive();
}

void Connection::pause() {
  for (const auto timer : {Timer::homing, Timer::qualify, Timer::keepalive}) context_.stop(timer);
  reachability_.give_up();
  registration_.withdraw();
  if (!busy()) registration_changed();
}

void Connection::login(ConnectionSettings settings) {
  const bool returns = std::exchange(leaving_, false);
  const auto& current = successor_ ? *successor_ : context_.settings;
  if (!(settings == current)) return change(std::move(settings));
  // The same as before: nothing is sent (ZY-5), but for one that was on its way out or was stopped by command.
  if (returns || stopped_) successor_.reset(), stopped_ = false, begin();
}

void Connection::change(ConnectionSettings settings) {
  const auto change = change_between(context_.settings, settings);
  if (change == Change::renew && (registration_.state() != Registration::State::unregistered || !context_.settings.enabled || !settings.enabled || !settings.registers())) {
    successor_ = std::move(settings);
    return pause();
  }
  const bool again = std::exchange(stopped_, false) || change == Change::refresh;
  const bool other_servers = change == Change::renew;
  const bool other_credentials = other_servers || settings.password != context_.settings.password || settings.authname != context_.settings.authname;
  context_.settings = std::move(settings);
  successor_.reset();
  if (other_servers) {
    reachability_.give_up();
    context_.servers = Servers(context_.settings);
  }
  context_.servers.set_failover(context_.settings.failover);
  if (change != Change::unseen) registration_.settings_changed(other_credentials);
  context_.services.addresses_changed(context_.number);
  if (again || other_servers) return begin();
  start_homing();
  start_keepalive();
  if (context_.settings.qualify.count() != 0) context_.start(Timer::qualify, context_.settings.qualify);
  else context_.stop(Timer::qualify);
}

void Connection::leave() {
  successor_.reset();
  leaving_ = true;
  pause();
}

void Connection::unregister() {
  stopped_ = true;
  pause();
}

void Connection::reregister() {
  stopped_ = false;
  if (!context_.settings.registers()) return begin();
  look_up_servers();
  registration_.begin();
}

void Connection::registration_changed() {
  set_online(online(), registration_.code(), registration_.reason());
  if (registration_.registered()) {
    look_up_servers();
    start_homing();
    if (!context_.runs(Timer::keepalive)) start_keepalive();
    if (context_.settings.qualify.count() != 0 && !context_.runs(Timer::qualify)) context_.start(Timer::qualify, context_.settings.qualify);
    return;
  }
  if (registration_.state() != Registration::State::unregistered) return;
  if (leaving_) return context_.services.ended(context_.number);
  if (!successor_) return;
  context_.settings = *std::exchange(successor_, std::nullopt);
  context_.servers = Servers(context_.settings);
  context_.seen_host.clear();
  context_.use_flow({});
  told_server_.reset();
  stopped_ = false;
  registration_.settings_changed(true);
  context_.services.addresses_changed(context_.number);
  begin();
}

/// Whoever wants to know hears of it once per change; of an upstream connection also that another server is in use.
void Connection::set_online(bool online, int code, const std::string& reason) {
  auto& core = context_.core();
  const auto& settings = context_.settings;
  if (settings.registers() && registration_.state() == Registration::State::failed)
    core.log.warning("event=connection-failed connection={} server={} reason={} next_ms={}", log_value(settings.name),
                     log_value(uri_host(settings.servers[context_.servers.active()].registrar)), log_value(reason),
                     registration_.next_attempt() ? (*registration_.next_attempt() - context_.now()).count() : 0);
  const bool elsewhere = online && settings.type == Type::upstream && told_server_ != context_.servers.active();
  if (online == online_ && !elsewhere && (online || reason.empty() || reason == trouble_)) return;
  trouble_ = reason;
  if (online != online_) since_ = context_.now();
  online_ = online;
  told_server_ = context_.servers.active();
  if (online)
    core.log.info("event=connection-online connection={} type={} server={} granted={}", log_value(settings.name), type_name(settings.type),
                  settings.servers.empty() ? "" : log_value(uri_host(settings.servers[context_.servers.active()].proxy)), registration_.granted().count());
  jackfield::Message message(messages::kUserNotify, core.engine.clock().wall());
  message.add(param::kAccount, settings.name).add(param::kProtocol, "sip").add(param::kUsername, settings.username);
  message.add(param::kDomain, settings.servers.empty() ? settings.domain : settings.domain_at(context_.servers.active())).add(param::kRegistered, online ? "true" : "false");
  if (!online && !reason.empty()) message.add(param::kReason, reason);
  if (!online && code != 0) message.add(param::kError, static_cast<long long>(code));
  core.engine.bus().enqueue(std::move(message));
}

// Servers.

void Connection::look_up_servers() {
  auto& services = context_.services;
  std::vector<stack::Destination> open;
  context_.servers.each_way([&](Way& way) {
    if (const auto known = services.resolver.known(way.destination())) {
      if (*known) way.resolved((*known)->hops);
    } else {
      open.push_back(way.destination());
    }
  });
  for (const auto& destination : open)
    services.resolver.resolve(destination, [weak = services.self, number = context_.number, destination](const stack::Resolved& resolved) {
      const auto alive = weak.lock();
      if (Connection* connection = alive ? alive->find(number) : nullptr) connection->looked_up(destination, resolved);
    });
  services.addresses_changed(context_.number);
}

void Connection::looked_up(const stack::Destination& destination, const stack::Resolved& resolved) {
  if (!resolved) return;
  context_.servers.each_way([&](Way& way) {
    if (way.destination() == destination) way.resolved(resolved->hops);
  });
  context_.services.addresses_changed(context_.number);
}

void Connection::start_homing() {
  const bool wanted = usable() && !context_.servers.at_main() && (context_.settings.homing == Homing::options || context_.settings.homing == Homing::reg);
  if (!wanted) context_.stop(Timer::homing);
  else if (!context_.runs(Timer::homing)) context_.start(Timer::homing, context_.settings.homing_interval);
}

void Connection::start_keepalive() {
  const auto interval = context_.settings.keepalive.value_or(context_.seen_host.empty() ? Duration(0) : kNatKeepalive);
  if (interval.count() == 0 || !usable()) context_.stop(Timer::keepalive);
  else context_.start(Timer::keepalive, interval);
}

/// EL-11: whatever found it out, work goes on with the main server, and the registration is renewed there. Calls stay where they are.
void Connection::go_home() {
  if (context_.servers.at_main()) return;
  context_.core().log.info("event=connection-home connection={} server={}", log_value(context_.settings.name), log_value(uri_host(context_.settings.servers.front().proxy)));
  context_.servers.make_active(0);
  context_.stop(Timer::homing);
  if (context_.settings.registers()) return registration_.begin_anew();
  reachable_ = true;
  set_online(true, 0, {});
}

void Connection::came_home() {
  context_.stop(Timer::homing);
  context_.core().log.info("event=connection-home connection={} server={}", log_value(context_.settings.name), log_value(uri_host(context_.settings.servers.front().proxy)));
}

void Connection::asked(Reachability::Purpose purpose, ServerIndex server, bool alive, int code, const std::string& reason) {
  if (!usable()) return;
  if (purpose == Reachability::Purpose::homing) {
    if (alive) return go_home();
    context_.servers.way(0, Servers::Purpose::calls).advance();  // a name's machines take turns
    return start_homing();
  }
  if (server != context_.servers.active()) return;
  if (context_.settings.registers()) {
    if (!alive && !registration_.busy()) registration_.begin();  // the REGISTER finds out, and goes on from there
    return;
  }
  if (alive) {
    context_.servers.answered();
    reachable_ = true;
    set_online(true, 0, {});
    return start_homing();
  }
  context_.core().log.warning("event=connection-server-failed connection={} server={} reason={}", log_value(context_.settings.name),
                              log_value(uri_host(context_.settings.servers[server].proxy)), log_value(reason));
  if (context_.servers.move_on(Servers::Purpose::calls)) return reachability_.ask(Reachability::Purpose::regular, context_.servers.active());
  context_.servers.begin_cycle();
  reachable_ = false;
  set_online(false, code != 0 ? code : 408, reason);
  // Somebody has to find out that one is back; the settings need not ask for it.
  if (!context_.runs(Timer::qualify)) context_.start(Timer::qualify, context_.settings.qualify.count() != 0 ? context_.settings.qualify : context_.settings.retry);
}

// What calls, and REGISTERs that are carried, see (D18).

bool Connection::in_use(ServerIndex server, const stack::Hop* hop) const {
  if (!usable() || server != context_.servers.active()) return false;
  // Of the machines behind one name another is in use by now.
  const auto* current = context_.servers.way(server, Servers::Purpose::calls).current();
  return !hop || !current || *hop == *current;
}

/// The request is on its way to the next server already; REGISTER and the calls to come follow it.
void Connection::leave_server(ServerIndex server, std::string_view reason) {
  context_.core().log.warning("event=connection-server-failed connection={} server={} reason={}", log_value(context_.settings.name),
                              log_value(uri_host(context_.settings.servers[server].proxy)), log_value(reason));
  const bool others = context_.servers.move_on(Servers::Purpose::calls);
  if (!others) context_.servers.begin_cycle();
  if (context_.settings.registers()) return registration_.begin_anew();
  start_homing();
  if (context_.settings.type != Type::upstream) return;
  if (others) set_online(online(), 0, {});
  else look_again(context_.servers.active());
}

/// It moves when REGISTER or OPTIONS fares no better.
void Connection::look_again(ServerIndex server) {
  if (checked_ != MonoTime{} && context_.now() - checked_ < kBetweenChecks) return;
  checked_ = context_.now();
  if (!context_.settings.registers()) reachability_.ask(Reachability::Purpose::regular, server);
  else if (!registration_.busy()) registration_.begin();
}

void Connection::call_failed(ServerIndex server, const stack::Hop* hop, Failure failure) {
  if (!in_use(server, hop)) return;
  if (failure == Failure::unreachable && context_.servers.alternatives()) leave_server(server, "no answer to a call");
  else look_again(server);
}

void Connection::carried_failed(ServerIndex server, const stack::Hop* hop, const std::string& reason, bool by_us) {
  if (!in_use(server, hop)) return;
  if (by_us && context_.servers.alternatives()) leave_server(server, reason);
  else look_again(server);
}

void Connection::carried_answered(ServerIndex server, const stack::Hop& hop, const stack::FlowId& flow) {
  if (!usable() || server >= context_.servers.size()) return;
  if (server != context_.servers.active()) {
    if (reachable_) return;  // it began before the others moved on
    context_.servers.make_active(server);
  }
  context_.servers.way(server, Servers::Purpose::calls).use(hop);
  context_.servers.answered();
  context_.use_flow(flow);
  if (!context_.runs(Timer::keepalive)) start_keepalive();
  reachable_ = true;
  set_online(true, 0, {});
  start_homing();
}

void Connection::call_answered(ServerIndex server, const stack::Hop& hop) {
  if (!usable() || server >= context_.servers.size()) return;
  if (server == 0 && !context_.servers.at_main() && context_.settings.homing == Homing::invite) return go_home();  // EL-10
  if (server != context_.servers.active()) {
    // A live one was found while the active one is known not to be (EL-5).
    const bool in_doubt = context_.settings.registers() ? !registration_.registered() : !reachable_;
    if (!in_doubt || context_.settings.homing == Homing::invite) return;
    context_.servers.make_active(server);
    if (context_.settings.registers()) registration_.begin_anew();
  }
  context_.servers.way(server, Servers::Purpose::calls).use(hop);
  if (context_.settings.registers()) return;
  context_.servers.answered();
  reachable_ = true;
  set_online(true, 0, {});
  start_homing();
}

// Events.

void Connection::fired(Timer timer) {
  context_.timers[static_cast<std::size_t>(timer)] = {};
  switch (timer) {
    case Timer::next: return registration_.due();
    case Timer::attempt: return registration_.attempt_over();
    case Timer::ask: return reachability_.over();
    case Timer::homing:
      if (context_.settings.homing == Homing::options) reachability_.ask(Reachability::Purpose::homing, 0);
      else registration_.probe();
      return start_homing();
    case Timer::qualify:
      reachability_.ask(Reachability::Purpose::regular, context_.servers.active());
      if (context_.settings.qualify.count() != 0) context_.start(Timer::qualify, context_.settings.qualify);
      else if (!context_.settings.registers() && !reachable_) context_.start(Timer::qualify, context_.settings.retry);
      return;
    case Timer::keepalive:
      reachability_.keep_alive();
      return start_keepalive();
  }
}

void Connection::response(Slot slot, const Message& response, const stack::FlowId& flow) {
  if (slot == Slot::registration) registration_.response(response, flow);
  else reachability_.response(response);
}

void Connection::client_failed(Slot slot, stack::ClientFailure failure) {
  if (slot == Slot::registration) registration_.client_failed(failure);
  else reachability_.client_failed();
}

void Connection::flow_closed(const stack::FlowId& flow) {
  if (!(context_.flow == flow)) return;
  if (is_reliable(flow.kind)) context_.use_flow({});
  registration_.flow_closed();
}

}  // namespace jackfield::sip::line
