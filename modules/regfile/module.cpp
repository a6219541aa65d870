// Users in a file. Wires the answers of Regfile to the bus.
#include "commands.h"
#include "regfile.h"
#include "settings.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/engine.h>
#include <jackfield/messages/user.h>
#include <jackfield/module.h>

#include <vector>

namespace jackfield::regfile {
namespace {

struct RegfilePlan : Plan {
  GeneralSettings general;
  UserTable users;
  std::unique_ptr<Store> store;  ///< opened at the start, not on reload
  SourceLine file_line;
};

class RegfileModule final : public ModuleOf<RegfilePlan> {
 public:
  CheckResult check(const Settings& settings) const override {
    auto plan = std::make_unique<RegfilePlan>();
    CheckResult result;
    plan->general = read_general(settings);
    plan->users = UserTable::read(settings, plan->general.allow_empty_password, result.problems);
    plan->file_line = settings.where(kGeneral, "file");
    if (settings.from_yate() && !settings.has(kGeneral, "file"))
      result.problems.push_back({Problem::Severity::warning, plan->file_line,
                                 "unlike in Yate, registrations are kept across restarts; an empty file= in [general] is Yate's way"});
    if (!has_errors(result.problems)) result.plan = std::move(plan);
    return result;
  }

  tl::expected<void, Problem> prepare_plan(Engine& engine, RegfilePlan& plan) override {
    if (regfile_) return {};
    // Without a server nobody is registered: what one keeps is not for us.
    const auto path = engine.offline() ? std::filesystem::path() : bindings_path(plan.general.file, engine.state_dir(), [&](std::string_view name) { return engine.run_parameter(name); });
    auto store = Store::open(engine, {.file = path, .sync = plan.general.sync, .log = "regfile"});
    if (!store) return tl::unexpected(Problem{Problem::Severity::error, plan.file_line, store.error()});
    plan.store = std::move(*store);
    return {};
  }

  void apply_plan(Engine& engine, std::unique_ptr<RegfilePlan> plan) noexcept override {
    if (regfile_) return regfile_->use(std::move(plan->general), std::move(plan->users));
    regfile_ = std::make_unique<Regfile>(engine, plan->general, std::move(plan->users), std::move(plan->store));
    log_ = &engine.log("regfile");
    const auto& at = plan->general;
    install(engine, messages::kUserAuth, at.auth_priority, &Regfile::user_auth);
    install(engine, messages::kUserRegister, at.register_priority, &Regfile::user_register);
    install(engine, messages::kUserUnregister, at.register_priority, &Regfile::user_unregister);
    install(engine, messages::kUserBindings, at.register_priority, &Regfile::user_bindings);
    install(engine, messages::kCallRoute, at.route_priority, &Regfile::call_route);
    install(engine, messages::kEngineStatus, 110, &Regfile::engine_status);
    install(engine, messages::kEngineCommand, 110, &Regfile::engine_command);
    gauge_ = engine.metrics().gauge("jackfield_regfile_bindings_count", "Contacts registered now.", {},
                                    [this] { return static_cast<double>(regfile_->store().bindings().size()); });
  }

  void stop() override {
    handlers_.clear();
    gauge_.reset();
    if (!regfile_) return;
    if (const auto written = regfile_->store().export_file_now(); !written) log_->error("event=not_exported reason={}", log_value(written.error()));
    regfile_.reset();
  }

 private:
  void install(Engine& engine, const std::string& message, int priority, Verdict (Regfile::*answer)(Message&)) {
    const bool dry_run = message == messages::kUserAuth.name || message == messages::kUserBindings.name || message == messages::kCallRoute.name;  // they only look
    handlers_.push_back(engine.bus().install({.message = message, .priority = priority, .track = "regfile", .dry_run = dry_run},
                                             [this, answer](Message& about) { return (regfile_.get()->*answer)(about); }));
  }

  std::unique_ptr<Regfile> regfile_;
  std::vector<Bus::Subscription> handlers_;
  std::shared_ptr<void> gauge_;
  Logger* log_ = nullptr;
};

std::unique_ptr<Module> make() { return std::make_unique<RegfileModule>(); }

}  // namespace
}  // namespace jackfield::regfile

JACKFIELD_MODULE(.name = "regfile", .summary = "Users in a file", .requires_modules = {}, .keys = &jackfield::regfile::kKeys,
                 .create = jackfield::regfile::make, .commands = jackfield::regfile::kCommands, .offline = true);
