// Upper and Thru registration: phones that register here are registered at another server, too. Wires the parts to the bus.
#include "calls.h"
#include "carrier.h"
#include "console.h"
#include "core.h"
#include "lines.h"
#include "phones.h"
#include "refresher.h"
#include "settings.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/engine.h>
#include <jackfield/messages/upstream.h>
#include <jackfield/messages/user.h>
#include <jackfield/module.h>

#include <optional>

namespace jackfield::upperreg {
namespace {

constexpr int kStartPriority = 150, kConsolePriority = 110;
constexpr std::string_view kJournal = "upperreg-aors.journal";

struct UpperregPlan : Plan {
  UpperregSettings settings;
  SourceLine file_line;
  std::unique_ptr<Aors> aors;  ///< opened at the start, not on reload
  std::unique_ptr<bindings::Store> store;
};

class UpperregModule final : public ModuleOf<UpperregPlan> {
 public:
  CheckResult check(const Settings& settings) const override {
    auto plan = std::make_unique<UpperregPlan>();
    CheckResult result;
    plan->settings = read_settings(settings, result.problems);
    plan->file_line = settings.where(kGeneral, "file");
    if (!plan->settings.upper.enabled && !plan->settings.thru.enabled && !settings.sections().empty())  // in a site of Yate's it is there, and idle
      result.problems.push_back({Problem::Severity::warning, {settings.file(), 0}, "neither server= in [upper] nor thru_domains= in [thru] is set: nobody is registered elsewhere"});
    if (!has_errors(result.problems)) result.plan = std::move(plan);
    return result;
  }

  tl::expected<void, Problem> prepare_plan(Engine& engine, UpperregPlan& plan) override {
    if (parts_) return {};
    const bool kept = !plan.settings.file.empty() && !engine.offline();
    const auto below = [&](std::string_view file) { return kept ? std::filesystem::absolute(engine.state_dir()) / file : std::filesystem::path(); };
    const auto refuse = [&](std::string why) { return tl::unexpected(Problem{Problem::Severity::error, plan.file_line, std::move(why)}); };
    auto aors = Aors::open(engine, below(kJournal), plan.settings.sync);
    if (!aors) return refuse(aors.error());
    auto store = bindings::Store::open(engine, {.file = below(plan.settings.file), .sync = plan.settings.sync, .log = "upperreg"});
    if (!store) return refuse(store.error());
    plan.aors = std::move(*aors);
    plan.store = std::move(*store);
    return {};
  }

  void apply_plan(Engine& engine, std::unique_ptr<UpperregPlan> plan) noexcept override {
    if (parts_) {
      parts_->core->settings = std::move(plan->settings);
      if (started_) begin();
      return;
    }
    const auto at = plan->settings;
    auto core = std::make_shared<Core>(engine);
    core->settings = std::move(plan->settings);
    core->aors = std::move(plan->aors);
    core->store = std::move(plan->store);
    parts_.emplace(core);
    auto& parts = *parts_;
    const auto on = [&](const messages::MessageName& message, int priority, Handler handler, bool dry_run = false) {
      handlers_.push_back(engine.bus().install({.message = message, .priority = priority, .track = "upperreg", .dry_run = dry_run}, std::move(handler)));
    };
    on(messages::kEngineStart, kStartPriority, [this](Message&) { return started_ = true, begin(), false; });
    on(messages::kUserUpstream, at.upstream_priority, [&](Message& m) { return parts.carrier.user_upstream(m); });
    on(messages::kUserAuth, at.auth_priority, [&](Message& m) { return m.has(messages::param::kInLine) ? admit_token(*parts.core, parts.lines, m) : parts.phones.user_auth(m); }, true);
    on(messages::kUserRegister, at.register_priority, [&](Message& m) { return parts.phones.user_register(m); });
    on(messages::kUserUnregister, at.register_priority, [&](Message& m) { return parts.phones.user_unregister(m); });
    on(messages::kUserBindings, at.register_priority, [&](Message& m) { return parts.phones.user_bindings(m); });
    on(messages::kUserNotify, kConsolePriority, [&](Message& m) { return parts.refresher.user_notify(m), false; });
    on(messages::kCallRoute, at.entry_priority, [&](Message& m) { return take_token(*parts.core, parts.lines, m); }, true);
    on(messages::kCallRoute, at.route_priority, [&](Message& m) { return parts.phones.call_route(m); }, true);
    on(messages::kCallExecute, at.execute_priority, [&](Message& m) { return identify(parts.core, parts.lines, m); });
    on(messages::kEngineStatus, kConsolePriority, [&](Message& m) { return parts.console.engine_status(m); });
    on(messages::kEngineHelp, kConsolePriority, [&](Message& m) { return parts.console.engine_help(m); });
    on(messages::kEngineCommand, kConsolePriority, [&](Message& m) { return parts.console.engine_command(m); });
    gauges_.push_back(engine.metrics().gauge("jackfield_upperreg_aors_count", "Users that are registered at another server.", {}, [core = parts.core.get()] {
      std::size_t count = 0;
      core->aors->each([&](const Aor& aor) { count += aor.at_a(); });
      return static_cast<double>(count);
    }));
    gauges_.push_back(engine.metrics().gauge("jackfield_upperreg_bindings_count", "Phones of users that are registered at another server.", {},
                                             [core = parts.core.get()] { return static_cast<double>(core->store->bindings().size()); }));
  }

  // Nobody is un-registered: the phones will be back within the time that A granted.
  void stop() override {
    handlers_.clear();
    gauges_.clear();
    if (!parts_) return;
    auto core = parts_->core;
    core->stopped = true;
    core->waiting->stop();
    parts_.reset();
    if (core->store->keeps_journal())
      if (const auto written = core->store->export_file_now(); !written) core->log.error("event=not_exported reason={}", log_value(written.error()));
    core->store.reset();
    core->aors.reset();
    started_ = false;
  }

 private:
  struct Parts {
    explicit Parts(std::shared_ptr<Core> c)
        : core(c),
          lines(c),
          refresher(c, lines),
          carrier(c, lines, [this](const std::string& line, const Answer& answer) { refresher.heard(line, answer); }),
          phones(c, [this](const std::string& name) { refresher.phones_changed(name); }),
          console(c, lines, refresher) {}
    std::shared_ptr<Core> core;
    Lines lines;
    Refresher refresher;
    Carrier carrier;
    Phones phones;
    Console console;
  };

  void begin() {
    parts_->lines.refresh();
    parts_->refresher.begin();
  }

  std::optional<Parts> parts_;
  std::vector<Bus::Subscription> handlers_;
  std::vector<std::shared_ptr<void>> gauges_;
  bool started_ = false;
};

std::unique_ptr<Module> make() { return std::make_unique<UpperregModule>(); }

}  // namespace
}  // namespace jackfield::upperreg

JACKFIELD_MODULE(.name = "upperreg", .summary = "Upper and Thru registration: phones are registered at another server, too", .requires_modules = {}, .keys = &jackfield::upperreg::kKeys,
                 .create = jackfield::upperreg::make);
