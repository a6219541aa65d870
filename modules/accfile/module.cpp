// Accounts in a file, and what routing has to know of every connection. Wires them to the bus.
#include "accounts.h"
#include "commands.h"
#include "connections.h"
#include "inbound.h"
#include "routing.h"
#include "settings.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/engine.h>
#include <jackfield/messages/sip.h>
#include <jackfield/messages/user.h>
#include <jackfield/module.h>

namespace jackfield::accfile {
namespace {

constexpr int kStartPriority = 150;  // COMPAT §6
constexpr int kConsolePriority = 110;
// From the start: until then accounts from a database have logged in, too.
constexpr Duration kAllLoggedIn = std::chrono::minutes(1);

struct AccfilePlan : Plan {
  GeneralSettings general;
  AccountTable accounts;
  SourceLine file_line;
  std::unique_ptr<bindings::Store> store;  ///< opened at the start, not on reload
};

class AccfileModule final : public ModuleOf<AccfilePlan> {
 public:
  CheckResult check(const Settings& settings) const override {
    auto plan = std::make_unique<AccfilePlan>();
    CheckResult result;
    plan->general = read_general(settings);
    plan->accounts = read_accounts(settings, result.problems);
    plan->file_line = settings.where(kGeneral, "file");
    if (settings.from_yate() && !settings.has(kGeneral, "reload") && plan->general.auto_oper.empty())
      result.problems.push_back({Problem::Severity::warning, {settings.file(), 0},
                                 "unlike in Yate, a reload logs in what is new or changed and logs out what is gone; reload=no in [general] is Yate's way"});
    result.plan = std::move(plan);
    return result;
  }

  tl::expected<void, Problem> prepare_plan(Engine& engine, AccfilePlan& plan) override {
    if (accounts_) return {};
    // Without a server nobody is registered here: what one keeps is not for us.
    const auto path = plan.general.file.empty() || engine.offline() ? std::filesystem::path() : std::filesystem::absolute(engine.state_dir()) / plan.general.file;
    auto store = bindings::Store::open(engine, {.file = path, .sync = plan.general.sync, .log = "accfile"});
    if (!store) return tl::unexpected(Problem{Problem::Severity::error, plan.file_line, store.error()});
    plan.store = std::move(*store);
    return {};
  }

  void apply_plan(Engine& engine, std::unique_ptr<AccfilePlan> plan) noexcept override {
    if (accounts_) return accounts_->use(std::move(plan->general), std::move(plan->accounts));
    const auto at = plan->general;
    log_ = &engine.log("accfile");
    inbound_ = std::make_unique<Inbound>(engine, connections_, std::move(plan->store));
    accounts_ = std::make_unique<Accounts>(engine);
    // A server's connections are those that it has logged in; without one, those that it would.
    if (engine.offline())
      for (const auto& [name, account] : plan->accounts)
        if (account.active) connections_.learn(account.message("login", engine.clock().wall()));
    accounts_->use(std::move(plan->general), std::move(plan->accounts));

    watches_.push_back(engine.bus().watch(std::string(messages::kUserLogin), [this](const Message& login, bool handled) { learn(login, handled); }));
    const auto on = [&](const messages::MessageName& message, int priority, Handler handler) {
      const bool dry_run = message.name == messages::kUserBindings.name || message.name == messages::kCallRoute.name;  // they only look
      watches_.push_back(engine.bus().install({.message = message, .priority = priority, .track = "accfile", .dry_run = dry_run}, std::move(handler)));
    };
    engine_ = &engine;
    sweep_ = engine.timers().add_sink([this](std::uint64_t) { inbound_->drop_unknown(); });
    on(messages::kEngineStart, kStartPriority, [this](Message&) { return start(), false; });
    on(messages::kUserNotify, kConsolePriority, [this](Message& m) { return accounts_->user_notify(m); });
    on(messages::kEngineCommand, kConsolePriority, [this](Message& m) { return accounts_->engine_command(m); });
    on(messages::kEngineHelp, kConsolePriority, [this](Message& m) { return accounts_->engine_help(m); });
    on(messages::kEngineStatus, kConsolePriority, [this](Message& m) { return accounts_->engine_status(m); });
    on(messages::kUserAuth, at.auth_priority, [this](Message& m) { return inbound_->user_auth(m); });
    on(messages::kUserRegister, at.auth_priority, [this](Message& m) { return inbound_->user_register(m); });
    on(messages::kUserUnregister, at.auth_priority, [this](Message& m) { return inbound_->user_unregister(m); });
    on(messages::kUserBindings, at.auth_priority, [this](Message& m) { return inbound_->user_bindings(m); });
    on(messages::kCallRoute, at.owner_priority, [this](Message& m) { return ring_owner(connections_, m); });
    on(messages::kCallRoute, at.route_priority, [this](Message& m) { return leave_by_pattern(connections_, m); });
    for (const auto* execute : {&messages::kCallExecute, &messages::kMsgExecute})
      on(*execute, at.execute_priority, [this](Message& m) { return find_contact(connections_, inbound_->store(), m); });
  }

  void stop() override {
    watches_.clear();
    if (engine_) engine_->timers().remove_sink(sweep_);
    engine_ = nullptr;
    accounts_.reset();
    if (inbound_)
      if (const auto written = inbound_->store().export_file_now(); inbound_->store().keeps_journal() && !written)
        log_->error("event=not_exported reason={}", log_value(written.error()));
    inbound_.reset();
    connections_ = {};
  }

 private:
  /// A connection that was removed while the server was stopped logs in no more, and nobody logs it out: the bindings of its other side
  /// that were kept end once all the others are there.
  void start() {
    accounts_->start();
    engine_->timers().start(sweep_, 0, kAllLoggedIn, TimerKind::coarse);
  }

  /// What nobody performs is no connection; what was refused is none any more, whatever it was before.
  void learn(const Message& login, bool handled) {
    const bool refused = !handled && login.has(messages::param::kError);
    const bool ends = refused || ends_connection(login.get(messages::param::kOperation));
    if (!handled && !ends) return;
    if (refused) connections_.forget(login.get(messages::param::kAccount));
    else connections_.learn(login);
    if (ends) inbound_->drop_unknown();
    else if (const auto* connection = connections_.find(login.get(messages::param::kAccount))) inbound_->check_realm(*connection);
  }

  Engine* engine_ = nullptr;
  TimerSinkId sweep_ = 0;
  Connections connections_;
  std::unique_ptr<Inbound> inbound_;
  std::unique_ptr<Accounts> accounts_;
  std::vector<Bus::Subscription> watches_;
  Logger* log_ = nullptr;
};

std::unique_ptr<Module> make() { return std::make_unique<AccfileModule>(); }

}  // namespace
}  // namespace jackfield::accfile

JACKFIELD_MODULE(.name = "accfile", .summary = "Accounts in a file: registrations at servers, trunks, and servers that register here", .requires_modules = {},
                 .keys = &jackfield::accfile::kKeys, .create = jackfield::accfile::make, .commands = jackfield::accfile::kCommands, .offline = true);
