// Users, registrations, routes and call records in a database. Wires Register to the engine.
#include "commands.h"
#include "register.h"
#include "settings.h"

#include <jackfield/module.h>


namespace jackfield::register_module {
namespace {

constexpr std::string_view kJournals = "register-records";

struct RegisterPlan : Plan {
  std::shared_ptr<const RegisterSettings> settings;
  std::shared_ptr<Database> database;  ///< made at the start, not on reload
  std::shared_ptr<Records> records;    ///< opened where it is not open yet

  bool writes_records() const { return settings->records.enabled || settings->lines.enabled; }
};

class RegisterModule final : public ModuleOf<RegisterPlan> {
 public:
  CheckResult check(const Settings& settings) const override {
    auto plan = std::make_unique<RegisterPlan>();
    CheckResult result;
    plan->settings = std::make_shared<const RegisterSettings>(read_settings(settings, result.problems));
    if (!has_errors(result.problems)) result.plan = std::move(plan);
    return result;
  }

  tl::expected<void, Problem> prepare_plan(Engine& engine, RegisterPlan& plan) override {
    plan.database = database_ ? database_ : std::make_shared<Database>(engine, engine.log("register"));
    if (!plan.writes_records() || (register_ && register_->has_records())) return {};
    auto records = Records::open(plan.database, engine.state_dir() / kJournals, [this] {
      if (register_) register_->note_critical();
    });
    if (!records) return tl::unexpected(Problem{Problem::Severity::error, {}, records.error()});
    plan.records = std::move(*records);
    return {};
  }

  void apply_plan(Engine& engine, std::unique_ptr<RegisterPlan> plan) noexcept override {
    const bool first = !register_;
    const bool records_begin = plan->records != nullptr;
    if (first) {
      database_ = plan->database;
      register_ = std::make_shared<Register>(engine, database_);
    }
    const auto records = plan->records;
    register_->use(plan->settings, plan->records);
    // The modules that serve the database may come after this one.
    if (first) engine.post([weak = std::weak_ptr(register_)] {
      if (const auto running = weak.lock()) running->start();
    });
    else if (records_begin) records->start();
  }

  void stop() override {
    register_.reset();
    database_.reset();
  }

 private:
  std::shared_ptr<Database> database_;
  std::shared_ptr<Register> register_;
};

std::unique_ptr<Module> make() { return std::make_unique<RegisterModule>(); }

}  // namespace
}  // namespace jackfield::register_module

JACKFIELD_MODULE(.name = "register", .summary = "Users, registrations, routes and call records in a database", .requires_modules = {},
                 .keys = &jackfield::register_module::kKeys, .create = jackfield::register_module::make,
                 .commands = jackfield::register_module::kCommands);
