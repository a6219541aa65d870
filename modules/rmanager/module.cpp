// Consoles over TCP. Wires listeners to the engine, and to what people ask.
#include "listeners.h"
#include "settings.h"

#include <jackfield/messages/engine.h>
#include <jackfield/module.h>

#include <fmt/format.h>

#include <memory>
#include <vector>

namespace jackfield::rmanager {
namespace {

namespace param = messages::param;

constexpr int kHelpPriority = 110, kStatusPriority = 110;
constexpr std::string_view kHelp =
    "  auth PASSWORD                                        Makes who connected over TCP a user or an administrator\r\n"
    "  alias                                                What rmanager.conf says that short words stand for\r\n";

struct RManagerPlan : Plan {
  Listeners::List listeners;
  std::vector<std::shared_ptr<Listeners::Door>> opened;
};

class RManager final : public ModuleOf<RManagerPlan> {
 public:
  CheckResult check(const Settings& settings) const override {
    CheckResult result;
    auto plan = std::make_unique<RManagerPlan>();
    plan->listeners = read_settings(settings, result.problems);
    if (!has_errors(result.problems)) result.plan = std::move(plan);
    return result;
  }

  tl::expected<void, Problem> prepare_plan(Engine& engine, RManagerPlan& plan) override {
    if (!listeners_) listeners_ = std::make_unique<Listeners>(engine);
    auto opened = listeners_->open(plan.listeners);
    if (!opened) return tl::unexpected(std::move(opened.error()));
    plan.opened = std::move(*opened);
    return {};
  }

  void apply_plan(Engine& engine, std::unique_ptr<RManagerPlan> plan) noexcept override {
    listeners_->use(plan->listeners, std::move(plan->opened));
    if (!handlers_.empty()) return;
    const auto install = [&](std::string_view message, int priority, Handler handler) {
      handlers_.push_back(engine.bus().install({.message = std::string(message), .priority = priority, .track = "rmanager"}, std::move(handler)));
    };
    install(messages::kEngineHelp, kHelpPriority, [](Message& message) {
      if (message.get(param::kLine).empty()) message.set_retvalue(fmt::format("{}{}", message.retvalue(), kHelp));
      return false;
    });
    install(messages::kEngineStatus, kStatusPriority, [this](Message& message) { return status(message); });
  }

  void stop() override {
    handlers_.clear();
    listeners_.reset();
  }

 private:
  Verdict status(Message& message) const {
    const auto module = message.get(param::kModule);
    if (!module.empty() && module != "rmanager" && module != "misc") return false;
    std::string details;
    if (message.flag(param::kDetails, true))
      listeners_->each_session([&](const Session& session) {
        constexpr std::string_view kLevels[] = {"none", "user", "admin"};
        details += fmt::format("{}{}={}|{}", details.empty() ? ';' : ',', session.peer(), kLevels[static_cast<int>(session.level())], session.machine());
      });
    message.set_retvalue(fmt::format("{}name=rmanager,type=misc,format=Level|Machine;listeners={},connections={}{}\r\n", message.retvalue(), listeners_->doors(),
                                     listeners_->sessions(), details));
    return module == "rmanager";
  }

  std::unique_ptr<Listeners> listeners_;
  std::vector<Bus::Subscription> handlers_;
};

std::unique_ptr<Module> make() { return std::make_unique<RManager>(); }

}  // namespace
}  // namespace jackfield::rmanager

JACKFIELD_MODULE(.name = "rmanager", .summary = "Consoles over TCP", .requires_modules = {}, .keys = &jackfield::rmanager::kKeys,
                 .create = jackfield::rmanager::make);
