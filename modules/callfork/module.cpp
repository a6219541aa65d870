// Calls to several targets at once. Wires Forks to the engine.
#include "forks.h"
#include "settings.h"

#include <jackfield/module.h>

namespace jackfield::callfork {
namespace {

struct CallforkPlan : Plan {
  Duration silence{0};
};

class CallforkModule final : public ModuleOf<CallforkPlan> {
 public:
  CheckResult check(const Settings& settings) const override {
    auto plan = std::make_unique<CallforkPlan>();
    plan->silence = settings.duration(kGeneral, kSilence);
    return {std::move(plan), {}};
  }
  tl::expected<void, Problem> prepare_plan(Engine&, CallforkPlan&) override { return {}; }
  void apply_plan(Engine& engine, std::unique_ptr<CallforkPlan> plan) noexcept override {
    if (forks_) return forks_->set_silence(plan->silence);
    forks_ = std::make_shared<Forks>(engine, plan->silence);
    forks_->start();
    gauge_ = engine.metrics().gauge("jackfield_callfork_calls_count", "Calls that ring at several targets now.", {},
                                    [this] { return static_cast<double>(forks_->size()); });
  }
  Task<> drain() override {
    forks_->drop_all({"shutdown"});
    co_return;
  }
  void stop() override {
    gauge_.reset();
    forks_.reset();
  }

 private:
  std::shared_ptr<Forks> forks_;
  std::shared_ptr<void> gauge_;
};

std::unique_ptr<Module> make() { return std::make_unique<CallforkModule>(); }

}  // namespace
}  // namespace jackfield::callfork

JACKFIELD_MODULE(.name = "callfork", .summary = "Calls to several targets at once", .requires_modules = {}, .keys = &jackfield::callfork::kKeys,
                 .create = jackfield::callfork::make);
