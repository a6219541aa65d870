// External scripts. Wires scripts and listeners to the engine, and to what people ask.
#include "listeners.h"
#include "script_calls.h"
#include "scripts.h"
#include "settings.h"

#include <jackfield/console.h>
#include <jackfield/messages/engine.h>
#include <jackfield/module.h>

#include <fmt/format.h>

#include <memory>
#include <sstream>
#include <vector>

namespace jackfield::extmodule {
namespace {

namespace param = messages::param;

constexpr int kCommandPriority = 100, kHelpPriority = 110, kStatusPriority = 110;
constexpr Duration kDrainStep = std::chrono::milliseconds(20);
constexpr int kDrainSteps = 25;  // half a second: less than the engine waits
constexpr std::string_view kUsage = "usage: external [info] | start|stop|restart SCRIPT [ARGUMENT] | execute PROGRAM [ARGUMENT]\r\n";
constexpr std::string_view kHelp = "  external [info]|start|stop|restart SCRIPT [ARGUMENT]|execute PROGRAM [ARGUMENT]  scripts and who is connected\r\n";

struct ExtModulePlan : Plan {
  ExtModuleSettings settings;
  std::unique_ptr<Listeners> listeners;  ///< only at the start
};

class ExtModule final : public ModuleOf<ExtModulePlan> {
 public:
  CheckResult check(const Settings& settings) const override {
    CheckResult result;
    auto plan = std::make_unique<ExtModulePlan>();
    plan->settings = read_settings(settings, result.problems);
    if (!has_errors(result.problems)) result.plan = std::move(plan);
    return result;
  }

  tl::expected<void, Problem> prepare_plan(Engine& engine, ExtModulePlan& plan) override {
    if (listeners_) return {};
    plan.listeners = std::make_unique<Listeners>(engine);
    for (const auto& listener : plan.settings.listeners) {
      auto opened = plan.listeners->open(listener);
      if (!opened) return tl::unexpected(Problem{Problem::Severity::error, listener.where, opened.error()});
    }
    return {};
  }

  void apply_plan(Engine& engine, std::unique_ptr<ExtModulePlan> plan) noexcept override {
    if (scripts_) {
      listeners_->use(plan->settings.scripts.locals);
      calls_->use(plan->settings.scripts);
      scripts_->use(std::move(plan->settings.scripts));
      return;
    }
    engine_ = &engine;
    calls_ = std::make_shared<ScriptCalls>(engine, plan->settings.scripts);
    calls_->start();
    listeners_ = std::move(plan->listeners);
    listeners_->serve(
        plan->settings.scripts.locals,
        [calls = std::weak_ptr(calls_)](const std::shared_ptr<Session>& session, Message& message) {
          const auto held = calls.lock();
          return held && held->begin(session, message);
        },
        [calls = std::weak_ptr(calls_)](const Session& session) {
          if (const auto held = calls.lock()) held->session_ended(session);
        });
    scripts_ = std::make_shared<Scripts>(engine, std::move(plan->settings.scripts));
    const auto argument = [&](const std::string& text) { return substitute(text, [&](std::string_view name) { return engine.run_parameter(name); }); };
    for (const auto& [name, text] : plan->settings.started) report(name, scripts_->start(name, argument(text)));
    for (const auto& [name, text] : plan->settings.executed) report(name, scripts_->execute(name, argument(text)));
    install(messages::kEngineCommand, kCommandPriority, [this](Message& message) { return command(message); });
    install(messages::kEngineHelp, kHelpPriority, [](Message& message) {
      if (message.get(param::kLine).empty()) message.set_retvalue(fmt::format("{}{}", message.retvalue(), kHelp));
      return false;
    });
    install(messages::kEngineStatus, kStatusPriority, [this](Message& message) { return status(message); });
    waiting_ = engine.metrics().gauge("jackfield_extmodule_waiting_count", "Messages that wait for the answer of a script.", {}, [this] {
      std::size_t waiting = 0;
      each_session([&](const Session& session) { waiting += session.waiting(); });
      return static_cast<double>(waiting);
    });
  }

  /// Scripts are asked to end; those that do not are killed when the module stops.
  Task<> drain() override {
    calls_->drop_all("shutdown");
    scripts_->stop_all();
    // Looked up again after each pause: the engine's patience may end first, and then the module stops meanwhile.
    auto pauses = std::make_shared<Pendings>(engine_->timers());
    const std::weak_ptr<Scripts> scripts = scripts_;
    const std::weak_ptr<ScriptCalls> calls = calls_;
    for (int i = 0; i < kDrainSteps; ++i) {
      if (!still_there(scripts.lock(), calls.lock())) co_return;
      auto pause = pauses->open<bool>(kDrainStep);
      co_await pause.wait();
    }
  }

  void stop() override {
    handlers_.clear();
    waiting_.reset();
    listeners_.reset();
    calls_.reset();
    scripts_.reset();
  }

 private:
  static bool still_there(const std::shared_ptr<Scripts>& scripts, const std::shared_ptr<ScriptCalls>& calls) {
    return (scripts && scripts->running()) || (calls && !calls->idle());
  }

  void install(std::string_view message, int priority, Handler handler) {
    handlers_.push_back(engine_->bus().install({.message = std::string(message), .priority = priority, .track = "extmodule"}, std::move(handler)));
  }

  void report(const std::string& name, const tl::expected<void, std::string>& started) {
    if (!started) engine_->log("extmodule").error("event=script-failed script={} reason={}", log_value(name), log_value(started.error()));
  }

  void each_session(const std::function<void(const Session&)>& visit) const {
    listeners_->each_session(visit);
    scripts_->each_session(visit);
    calls_->each_session(visit);
  }

  Verdict command(Message& message) {
    std::istringstream in{std::string(message.get(param::kLine))};
    std::string external, what, name, argument;
    in >> external >> what >> name;
    std::getline(in >> std::ws, argument);
    if (external != "external") return complete(message);
    if (what.empty() || (what == "info" && name.empty())) {
      auto list = scripts_->list() + listeners_->list();
      message.set_retvalue(list.empty() ? "no script runs and none is connected\r\n" : list);
      return true;
    }
    if (!may_change(message)) return true;
    tl::expected<void, std::string> done;
    if (name.empty()) done = tl::unexpected(std::string(kUsage));
    else if (what == "start") done = scripts_->start(name, argument);
    else if (what == "restart") done = scripts_->restart(name, argument);
    else if (what == "execute") done = scripts_->execute(name, argument);
    else if (what != "stop") done = tl::unexpected(std::string(kUsage));
    else if (!scripts_->stop(name)) done = tl::unexpected(fmt::format("there is no script {}", name));
    message.set_retvalue(done ? "done\r\n" : done.error().ends_with("\n") ? done.error() : done.error() + "\r\n");
    return done.has_value();
  }

  Verdict complete(Message& message) const {
    if (!message.has(param::kPartline)) return false;
    const auto line = message.get(param::kPartline), word = message.get(param::kPartword);
    std::vector<std::string_view> candidates;
    if (line.empty()) candidates = {"external"};
    else if (line == "external") candidates = {"info", "start", "stop", "restart", "execute"};
    std::string out(message.retvalue());
    for (const auto candidate : candidates)
      if (candidate.starts_with(word)) out.append(out.empty() ? "" : "\t").append(candidate);
    message.set_retvalue(out);
    return false;
  }

  Verdict status(Message& message) const {
    const auto module = message.get(param::kModule);
    if (!module.empty() && module != "extmodule" && module != "misc") return false;
    std::size_t sessions = 0, waiting = 0;
    std::string details;
    each_session([&](const Session& session) {
      ++sessions;
      waiting += session.waiting();
      details += fmt::format("{}{}={}|{}|{}|{}", details.empty() ? ';' : ',', session.name(), session.handlers(), session.waiting(), session.late(),
                             session.latency().count());
    });
    if (!message.flag(param::kDetails, true)) details.clear();
    message.set_retvalue(fmt::format("{}name=extmodule,type=misc,format=Handlers|Waiting|Late|Latency;scripts={},connected={},waiting={}{}\r\n", message.retvalue(),
                                     scripts_->size(), sessions, waiting, details));
    return module == "extmodule";
  }

  Engine* engine_ = nullptr;
  std::unique_ptr<Listeners> listeners_;
  std::shared_ptr<Scripts> scripts_;
  std::shared_ptr<ScriptCalls> calls_;
  std::vector<Bus::Subscription> handlers_;
  std::shared_ptr<void> waiting_;
};

std::unique_ptr<Module> make() { return std::make_unique<ExtModule>(); }

}  // namespace
}  // namespace jackfield::extmodule

JACKFIELD_MODULE(.name = "extmodule", .summary = "External scripts", .requires_modules = {}, .keys = &jackfield::extmodule::kKeys,
                 .create = jackfield::extmodule::make);
