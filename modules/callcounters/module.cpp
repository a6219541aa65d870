// Call counters as Yate's scripts know them, and limits. Wires both to the messages of calls.
#include "counters.h"
#include "limit.h"
#include "settings.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>
#include <jackfield/messages/engine.h>
#include <jackfield/module.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

namespace jackfield::callcounters {
namespace {

namespace param = messages::param;

constexpr int kHangupPriority = 100, kStatusPriority = 110;
constexpr Duration kForgetIdle = std::chrono::minutes(1);

struct CallCountersPlan : Plan {
  CallCountersSettings settings;
};

class CallCountersModule final : public ModuleOf<CallCountersPlan> {
 public:
  CheckResult check(const Settings& settings) const override {
    auto plan = std::make_unique<CallCountersPlan>();
    CheckResult result;
    plan->settings = read_settings(settings, result.problems);
    if (!has_errors(result.problems)) result.plan = std::move(plan);
    return result;
  }

  tl::expected<void, Problem> prepare_plan(Engine&, CallCountersPlan&) override { return {}; }

  void apply_plan(Engine& engine, std::unique_ptr<CallCountersPlan> plan) noexcept override {
    use_limits(std::move(plan->settings.limits));
    if (counters_) return counters_->tell_all(plan->settings.counters.all);
    engine_ = &engine;
    counters_.emplace(std::move(plan->settings.counters));
    const int priority = plan->settings.priority;
    install(messages::kCallCdr, priority, [this](Message& cdr) { return counters_->record(cdr), false; });
    install(messages::kCallRoute, priority, [this](Message& route) { return this->route(route); });
    install(messages::kCallExecute, priority, [this](Message& execute) { return this->execute(execute); });
    install(messages::kChanHangup, kHangupPriority, [this](Message& hangup) { return release(hangup.get(param::kId)), false; });
    install(messages::kEngineTimer, kHangupPriority, [this](Message&) { return tidy(), false; });
    install(messages::kEngineStatus, kStatusPriority, [this](Message& about) { return status(about); });
    executed_ = engine.bus().watch(messages::kCallExecute, [this](const Message& execute, bool handled) { this->executed(execute, handled); });
    refused_ = &engine.metrics().counter("jackfield_callcounters_refused_total", "Calls refused because they were over a limit.");
    values_ = engine.metrics().gauge("jackfield_callcounters_values_count", "Values of limited parameters that are remembered.", {}, [this] {
      std::size_t values = 0;
      for (const Limit& limit : limits_) values += limit.values();
      return static_cast<double>(values);
    });
  }

  void stop() override {
    handlers_.clear();
    executed_.reset();
    values_.reset();
    counters_.reset();
    limits_.clear();
  }

 private:
  void install(const std::string& message, int priority, Handler handler) {
    const bool dry_run = message == messages::kCallRoute.name;
    handlers_.push_back(engine_->bus().install({.message = message, .priority = priority, .track = "callcounters", .dry_run = dry_run}, std::move(handler)));
  }

  /// A limit of the same parameter at the same gate goes on with the calls it knows.
  void use_limits(std::vector<LimitSettings> wanted) {
    std::vector<Limit> kept;
    for (auto& settings : wanted) {
      const auto same = std::ranges::find_if(limits_, [&](const Limit& limit) {
        return limit.settings().parameter == settings.parameter && limit.settings().gate == settings.gate;
      });
      if (same == limits_.end()) {
        kept.emplace_back(std::move(settings));
      } else {
        same->use(std::move(settings));
        kept.push_back(std::move(*same));
        limits_.erase(same);
      }
    }
    limits_ = std::move(kept);
  }

  /// The limit that a new call would be over now.
  const LimitSettings* would_be_over(const Message& question) const {
    const auto over = std::ranges::find_if(limits_, [&](const Limit& limit) {
      return limit.settings().gate == Gate::route && !question.flag(param::kEmergency) && limit.would_refuse(question, engine_->clock().now());
    });
    return over == limits_.end() ? nullptr : &over->settings();
  }

  /// The limit that the call is over; then it holds no place it did not hold before.
  const LimitSettings* over(const Message& question, Gate gate) {
    if (question.flag(param::kEmergency)) return nullptr;
    const auto leg = question.get(param::kId);
    std::vector<Limit*> entered;
    for (Limit& limit : limits_) {
      if (limit.settings().gate != gate) continue;
      const auto entry = limit.enter(question, leg, engine_->clock().now());
      if (entry == Limit::Entry::entered) entered.push_back(&limit);
      if (entry != Limit::Entry::refused) continue;
      for (Limit* earlier : entered) earlier->release(leg);
      return &limit.settings();
    }
    return nullptr;
  }

  void release(std::string_view leg) {
    for (Limit& limit : limits_) limit.release(leg);
  }

  static void refuse(Message& question, const LimitSettings& limit) {
    question.set(param::kError, limit.code == 503 ? "noresource" : "busy");
    question.set(param::kReason, limit.reason);
    question.set(param::kCauseSip, limit.code).set(param::kReasonSip, limit.reason);
  }

  void say_refused(Message& question, const LimitSettings& limit) {
    refuse(question, limit);
    refused_->add();
    engine_->log("callcounters").info("event=over-limit parameter={} value={} id={} code={}", limit.parameter,
                                      log_value(question.get(limit.parameter)), log_value(question.get(param::kId)), limit.code);
  }

  Verdict route(Message& route) {
    counters_->tell(route);
    const bool dry_run = route.flag(param::kDryRun);
    const auto* limit = dry_run ? would_be_over(route) : over(route, Gate::route);
    if (!limit) return false;
    if (dry_run) refuse(route, *limit);
    else say_refused(route, *limit);
    route.set_retvalue("-");
    return true;
  }

  Verdict execute(Message& execute) {
    const auto* limit = over(execute, Gate::execute);
    if (!limit) return false;
    say_refused(execute, *limit);
    execute.erase(param::kCallto);  // nobody takes it now, and the sender finds the reason
    return false;
  }

  void executed(const Message& execute, bool handled) {
    const auto leg = execute.get(param::kId), target = execute.get(param::kTargetid);
    for (Limit& limit : limits_) {
      if (limit.settings().gate != Gate::execute) continue;
      if (!handled) limit.release(leg);
      else if (!target.empty()) limit.hand_over(leg, target);
    }
  }

  void tidy() {
    const auto now = engine_->clock().now();
    if (now - tidied_ < kForgetIdle) return;
    tidied_ = now;
    for (Limit& limit : limits_) limit.forget_idle(now);
  }

  Verdict status(Message& about) {
    const auto module = about.get(param::kModule);
    if (!module.empty() && module != "callcounters" && module != "misc") return false;
    about.set_retvalue(std::string(about.retvalue()) + counters_->status(about.flag(param::kDetails, true)));
    return module == "callcounters";
  }

  Engine* engine_ = nullptr;
  std::optional<Counters> counters_;
  std::vector<Limit> limits_;
  MonoTime tidied_ = {};
  std::vector<Bus::Subscription> handlers_;
  Bus::Subscription executed_;
  Counter* refused_ = nullptr;
  std::shared_ptr<void> values_;
};

std::unique_ptr<Module> make() { return std::make_unique<CallCountersModule>(); }

}  // namespace
}  // namespace jackfield::callcounters

JACKFIELD_MODULE(.name = "callcounters", .summary = "Call counters and limits", .requires_modules = {}, .keys = &jackfield::callcounters::kKeys,
                 .create = jackfield::callcounters::make, .offline = true);
