// Routing by rules. Wires the walks through them to call.preroute, call.route and the messages of [extra].
#include "settings.h"
#include "walk.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/engine.h>
#include <jackfield/module.h>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

namespace jackfield::regexroute {
namespace {

namespace param = messages::param;

struct RegexRoutePlan : Plan {
  RegexRouteSettings settings;
};

class RegexRouteModule final : public ModuleOf<RegexRoutePlan> {
 public:
  CheckResult check(const Settings& settings) const override {
    CheckResult result;
    auto read = read_settings(settings, result.problems);
    if (!read) return result;
    auto plan = std::make_unique<RegexRoutePlan>();
    plan->settings = std::move(*read);
    result.plan = std::move(plan);
    return result;
  }

  tl::expected<void, Problem> prepare_plan(Engine&, RegexRoutePlan&) override { return {}; }

  void apply_plan(Engine& engine, std::unique_ptr<RegexRoutePlan> plan) noexcept override {
    const bool first = engine_ == nullptr;
    if (first) {
      engine_ = &engine;
      pendings_.emplace(engine.timers());
    }
    auto before = std::exchange(settings_, std::move(plan->settings));
    for (const auto& [name, value] : settings_.once)
      if (!variables_.has(name)) variables_.set(name, value);
    for (const auto& [name, value] : settings_.init) variables_.set(name, value);

    const bool moved = first || before.preroute_priority != settings_.preroute_priority || before.route_priority != settings_.route_priority ||
                       before.status_priority != settings_.status_priority || before.track != settings_.track;
    if (moved) install_own();
    install_extra(moved ? std::vector<ExtraHandler>() : before.extra);
  }

  Task<> drain() override {
    pendings_->stop();
    co_return;
  }

  void stop() override {
    own_.clear();
    extra_.clear();
    pendings_.reset();
    settings_ = {};
    variables_ = {};
    engine_ = nullptr;
  }

 private:
  Bus::Subscription install(std::string_view message, int priority, Handler handler) {
    return engine_->bus().install({.message = std::string(message), .priority = priority, .track = settings_.track ? "regexroute" : "", .dry_run = true}, std::move(handler));
  }

  void install_own() {
    own_.clear();
    if (settings_.preroute_priority > 0)
      own_.push_back(install(messages::kCallPreroute, settings_.preroute_priority, [this](Message& message) { return preroute(message); }));
    if (settings_.route_priority > 0)
      own_.push_back(install(messages::kCallRoute, settings_.route_priority, [this](Message& message) { return route(message); }));
    if (settings_.status_priority > 0)
      own_.push_back(install(messages::kEngineStatus, settings_.status_priority, [this](Message& message) { return status(message); }));
  }

  /// Handlers that are as they were keep their place among those of the same priority.
  void install_extra(const std::vector<ExtraHandler>& before) {
    std::vector<Bus::Subscription> kept;
    for (std::size_t i = 0; i < settings_.extra.size(); ++i) {
      const auto& wanted = settings_.extra[i];
      const auto same = std::ranges::find_if(before, [&](const ExtraHandler& old) { return old.same_place(wanted); });
      if (same != before.end() && extra_[static_cast<std::size_t>(same - before.begin())]) {
        kept.push_back(std::move(extra_[static_cast<std::size_t>(same - before.begin())]));
      } else {
        kept.push_back(install(wanted.message, wanted.priority, [this, handler = wanted](Message& message) { return other(message, handler); }));
      }
    }
    extra_ = std::move(kept);
  }

  Verdict preroute(Message& message) {
    const auto caller = message.get(param::kCaller);
    if (!settings_.preroute_all && (caller.empty() || !message.get(param::kContext).empty())) return false;
    return walk(message, "contexts", caller, &RegexRouteModule::prerouted);
  }

  Verdict route(Message& message) {
    const auto called = message.get(param::kCalled);
    if (called.empty()) return false;
    const auto context = message.get(param::kContext);
    return walk(message, context.empty() ? "default" : context, called, &RegexRouteModule::returned);
  }

  Verdict other(Message& message, const ExtraHandler& handler) {
    if (!handler.filter_name.empty()) {
      const auto value = message.get(handler.filter_name);
      if (handler.filter ? !handler.filter->matches(value) : value != handler.filter_value) return false;
    }
    return walk(message, handler.context, handler.parameter.empty() ? message.name() : message.get(handler.parameter), &RegexRouteModule::returned);
  }

  using Finish = bool (*)(Message& message, const Walk& walk);

  /// The context a caller gets, or the refusal of his call.
  static bool prerouted(Message& message, const Walk& walk) {
    if (!walk.handled()) return false;
    const auto result = walk.result().value_or("");
    if (result == "-" || result == "error") message.set_retvalue(result);
    else if (!result.empty()) message.set(param::kContext, result);
    return true;
  }

  static bool returned(Message& message, const Walk& walk) {
    if (walk.result()) message.set_retvalue(*walk.result());
    return walk.handled();
  }

  Verdict walk(Message& message, std::string_view context, std::string_view match, Finish finish) {
    Walk walk({*engine_, variables_, *pendings_, engine_->log("regexroute"), dispatching_, enqueued_}, settings_.rules, message, match);
    if (!walk.enter(context)) return false;
    if (!walk.run()) return wait(std::make_unique<Walk>(std::move(walk)), &message, finish);
    walk.leave_trace();
    return finish(message, walk);
  }

  static Task<bool> wait(std::unique_ptr<Walk> walk, Message* message, Finish finish) {
    do {
      co_await walk->wait();
    } while (!walk->run());
    walk->leave_trace();
    co_return finish(*message, *walk);
  }

  Verdict status(Message& about) {
    const auto module = about.get(param::kModule);
    if (!module.empty() && module != "regexroute" && module != "misc") return false;
    std::size_t rules = 0;
    for (const auto& [name, block] : settings_.rules->contexts) rules += block.rules.size();
    about.set_retvalue(fmt::format("{}name=regexroute,type=misc;contexts={},rules={},variables={}\r\n", about.retvalue(),
                                   settings_.rules->contexts.size(), rules, variables_.all().size()));
    return module == "regexroute";
  }

  Engine* engine_ = nullptr;
  RegexRouteSettings settings_;
  Variables variables_;
  std::optional<Pendings> pendings_;
  std::vector<Bus::Subscription> own_, extra_;
  int dispatching_ = 0;
  std::shared_ptr<Enqueued> enqueued_ = std::make_shared<Enqueued>();
};

std::unique_ptr<Module> make() { return std::make_unique<RegexRouteModule>(); }

}  // namespace
}  // namespace jackfield::regexroute

JACKFIELD_MODULE(.name = "regexroute", .summary = "Routing by rules", .requires_modules = {}, .keys = &jackfield::regexroute::kKeys,
                 .create = jackfield::regexroute::make, .offline = true);
