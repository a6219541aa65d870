// The SIP channel. Wires the stack, the parts that stand on it and the bus; start, reload and stop.
#include "admission/gate.h"
#include "call/calls.h"
#include "console.h"
#include "dispatcher.h"
#include "guard/door.h"
#include "line/lines.h"
#include "listeners.h"
#include "registrar/registrar.h"
#include "settings.h"
#include "stack/ares_dns.h"
#include "status.h"
#include "tap.h"

#include <jackfield/messages/engine.h>
#include <jackfield/module.h>

#include <sys/resource.h>

#include <algorithm>
#include <optional>

namespace jackfield::sip {
namespace {

/// Everything that runs, in the order in which it is made.
struct Running {
  Running(Engine& engine, std::shared_ptr<const SipSettings> settings)
      : transactions(engine, settings->transactions),
        guard(engine),
        tap(engine.recorder(), transactions),
        door(guard, tap),
        transport(stack::make_transport(engine, settings->transport, door)),
        resolver(engine, {.deadline = settings->dns.deadline}, make_dns(engine, settings->dns),
                 [this](stack::TransportKind kind, bool ipv6) { return reaches(kind, ipv6); }),
        core{engine, engine.log("sip"), *transport, transactions, std::move(settings), {}, &guard, &resolver} {
    door.attach(*transport);
    guard.attach(core);
    core.connections = &lines;
    tap.attach(*transport);
    transactions.attach(tap, dispatcher);
  }
  ~Running() { transactions.stop(); }

  static std::unique_ptr<stack::Dns> make_dns(Engine& engine, const DnsSettings& dns) {
    return stack::make_ares_dns(engine, {.servers = dns.servers, .timeout = dns.deadline / 5});
  }
  bool reaches(stack::TransportKind kind, bool ipv6) const {
    return std::ranges::any_of(transport->listeners(), [&](const auto& each) { return each.second.kind == kind && each.second.bind.is_v6() == ipv6; });
  }
  void use(std::shared_ptr<const SipSettings> settings) {
    if (settings->dns != core.settings->dns) resolver.configure({.deadline = settings->dns.deadline}, make_dns(core.engine, settings->dns));
    core.settings = std::move(settings);
  }

  stack::Transactions transactions;
  guard::Guard guard;
  Tap tap;
  guard::Door door;
  std::unique_ptr<stack::Transport> transport;
  stack::Resolver resolver;
  Core core;
  admission::Gate gate{core};
  registrar::Registrar registrar{core, gate};
  call::Calls calls{core, gate, registrar};
  outside::Outside outside{core, gate, registrar, calls};
  line::Lines lines{core, resolver};
  Dispatcher dispatcher{core, gate, registrar, calls, outside, lines};
  Bus::Subscription status;
  Console console{core, guard, registrar};
};

struct SipPlan : Plan {
  std::shared_ptr<const SipSettings> settings;
  bool own_timeout = false, own_maxchans = false;      ///< else [telephony] of the engine's file says it
  bool own_overload = false, own_max_waiting = false;  ///< else [general] of it may
  std::shared_ptr<Running> first;           ///< at the start; made here because its sockets may fail
  std::optional<ListenerChange> listeners;
  SourceLine where;
};

constexpr rlim_t kOtherFiles = 256;  // journals, sockets of databases, pipes of scripts

/// Whether as many connections as may be open can be.
void check_open_files(const Core& core) {
  rlimit files{};
  const auto wanted = core.settings->transport.max_connections + kOtherFiles;
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY || files.rlim_cur >= wanted) return;
  core.log.warning("event=limits open_files={} max_connections={} hint=\"`ulimit -n {}`, LimitNOFILE= of systemd, or a smaller max_connections= in [general] of sip.conf\"",
                   files.rlim_cur, core.settings->transport.max_connections, wanted);
}

/// With the engine's [telephony] and [general] where sip.conf says nothing.
std::shared_ptr<const SipSettings> with_defaults_of(const Engine& engine, const SipPlan& plan) {
  auto settings = std::make_shared<SipSettings>(*plan.settings);
  if (!plan.own_timeout)
    settings->call.timeout = parse_duration(engine.run_parameter("telephony.timeout").value_or(""), Duration(1)).value_or(settings->call.timeout);
  if (!plan.own_maxchans)
    settings->max_channels = static_cast<unsigned>(parse_integer(engine.run_parameter("telephony.maxchans").value_or("")).value_or(0));
  // Yate's names; 0 is off there, which says no more than that nobody chose.
  const auto queued = parse_integer(engine.run_parameter("general.maxqueued").value_or("")).value_or(0);
  if (!plan.own_max_waiting && queued > 0) settings->guard.max_waiting = static_cast<unsigned>(queued);
  const auto age = parse_duration(engine.run_parameter("general.maxmsgage").value_or(""), Duration(1)).value_or(Duration(0));
  if (!plan.own_overload && age > Duration(0)) settings->guard.overload = age;
  return settings;
}

class SipModule final : public ModuleOf<SipPlan> {
 public:
  CheckResult check(const Settings& settings) const override {
    CheckResult result;
    auto plan = std::make_unique<SipPlan>();
    plan->settings = read_settings(settings, result.problems);
    plan->own_timeout = settings.has("call", "timeout");
    plan->own_maxchans = settings.has("general", "maxchans");
    plan->own_overload = settings.has("guard", "overload");
    plan->own_max_waiting = settings.has("guard", "max_waiting");
    plan->where = settings.where("general", "port");
    if (!has_errors(result.problems)) result.plan = std::move(plan);
    return result;
  }

  tl::expected<void, Problem> prepare_plan(Engine& engine, SipPlan& plan) override {
    plan.settings = with_defaults_of(engine, plan);
    if (!running_) plan.first = std::make_shared<Running>(engine, plan.settings);
    auto& core = (running_ ? running_ : plan.first)->core;
    auto change = ListenerChange::prepare(core.transport, core.listeners, plan.settings->listeners, core.log);
    if (!change) return tl::unexpected(Problem{Problem::Severity::error, plan.where, std::move(change.error())});
    plan.listeners.emplace(std::move(*change));
    return {};
  }

  void apply_plan(Engine& engine, std::unique_ptr<SipPlan> plan) noexcept override {
    const bool starting = !running_;
    if (starting) running_ = std::move(plan->first);
    running_->use(std::move(plan->settings));
    plan->listeners->commit(running_->core.listeners);
    if (starting) start(engine);
  }

  Task<> drain() override {
    if (!running_) co_return;
    const std::weak_ptr<Running> running = running_;
    running_->lines.unregister_all();  // both wait for far ends, and together
    co_await running_->calls.drain();
    if (const auto held = running.lock()) co_await held->lines.drained();
  }

  void stop() override { running_.reset(); }

 private:
  void start(Engine& engine) {
    running_->guard.open();
    running_->calls.start();
    running_->outside.start();
    running_->lines.start();
    running_->status = engine.bus().install({.message = messages::kEngineStatus, .priority = 110, .track = "sip"}, [this](jackfield::Message& message) -> Verdict {
      return add_status(message, running_->core, running_->registrar.table(), running_->calls);
    });
    for (const auto& [index, listener] : running_->transport->listeners())
      running_->core.log.info("event=listening listener={} transport={} address={}", listener.name, stack::transport_name(listener.kind), listener.bind.text());
    check_open_files(running_->core);
    // In the first turn of the loop every store is started.
    engine.post([running = std::weak_ptr<Running>(running_)] {
      if (const auto held = running.lock()) held->registrar.recall_all();
    });
  }

  std::shared_ptr<Running> running_;
};

std::unique_ptr<Module> make() { return std::make_unique<SipModule>(); }

}  // namespace
}  // namespace jackfield::sip

JACKFIELD_MODULE(.name = "sip", .summary = "SIP: registrations and calls over UDP and TCP", .requires_modules = {}, .keys = &jackfield::sip::kSipKeys,
                 .create = jackfield::sip::make);
