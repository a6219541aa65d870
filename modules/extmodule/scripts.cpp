#include "scripts.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace jackfield::extmodule {
namespace {

constexpr Duration kFirstPause = std::chrono::milliseconds(100), kLongestPause = std::chrono::seconds(30);
/// One that ran this long did not fail at once.
constexpr Duration kRanWell = std::chrono::seconds(30);
/// From the request to end until it is killed.
constexpr Duration kPatience = std::chrono::seconds(2);

}  // namespace

std::filesystem::path script_path(const Engine& engine, const ScriptSettings& settings, const std::string& name) {
  if (!settings.folder.empty()) return std::filesystem::path(settings.folder) / name;
  return std::filesystem::path(std::string(engine.run_parameter("sharedpath").value_or(""))) / "scripts" / name;
}

Scripts::Scripts(Engine& engine, ScriptSettings settings) : engine_(engine), log_(engine.log("extmodule")), settings_(std::move(settings)) {
  sink_ = engine.timers().add_sink([this](std::uint64_t id) {
    const auto due = due_.extract(id);
    const auto found = due ? scripts_.find(due.mapped()) : scripts_.end();
    if (found != scripts_.end() && found->second.timer_id == id) timer(found->first, found->second);
  });
}

Scripts::~Scripts() {
  engine_.timers().remove_sink(sink_);
  for (auto scripts = std::exchange(scripts_, {}); auto& [name, script] : scripts)
    if (script.session) script.session->close("the module stops");
}

void Scripts::timer(const std::string& name, Script& script) {
  if (script.process) {
    // It was asked to end, and did not.
    log_.warning("event=script-killed script={} pid={}", log_value(name), script.process->pid());
    script.process.reset();
    process_ended(name, "killed", false);
    return;
  }
  ++script.restarts;
  if (const auto launched = launch(name, script); !launched) {
    log_.error("event=script-failed script={} reason={}", log_value(name), log_value(launched.error()));
    start_later(name, script);
  }
}

tl::expected<void, std::string> Scripts::start(const std::string& name, const std::string& argument) {
  if (const auto found = scripts_.find(name); found != scripts_.end()) {
    if (found->second.process || found->second.session) return tl::unexpected(fmt::format("{} runs already", name));
    scripts_.erase(found);  // it was to be started again later
  }
  auto& script = scripts_[name];
  script.argument = argument;
  auto launched = launch(name, script);
  if (!launched) scripts_.erase(name);
  return launched;
}

tl::expected<void, std::string> Scripts::launch(const std::string& name, Script& script) {
  std::vector<std::string> command{script_path(engine_, settings_, name).string()};
  if (!script.argument.empty()) command.push_back(script.argument);
  auto process = Process::start(engine_, std::move(command), [this, name](const std::string& how, bool well) { process_ended(name, how, well); });
  if (!process) return tl::unexpected(process.error());
  script.process = std::move(*process);
  script.wish = Script::Wish::as_configured;
  script.started = engine_.clock().now();
  log_.info("event=script-started script={} pid={}", log_value(name), script.process->pid());
  script.session = Session::begin(engine_, name, script.process->take_connection(), settings_.locals, {},
                                  [this, name](const Session& session, std::string_view why) { session_ended(name, session, why); });
  return {};
}

bool Scripts::stop(std::string_view name) {
  const auto found = scripts_.find(name);
  if (found == scripts_.end()) return false;
  auto& script = found->second;
  script.wish = Script::Wish::gone;
  if (const auto session = script.session) session->close("stopped");
  else if (!script.process) scripts_.erase(found);
  return true;
}

void Scripts::stop_all() {
  std::vector<std::string> names;
  for (const auto& [name, script] : scripts_) names.push_back(name);
  for (const auto& name : names) stop(name);
}

bool Scripts::running() const {
  return std::ranges::any_of(scripts_, [](const auto& entry) { return entry.second.process != nullptr; });
}

tl::expected<void, std::string> Scripts::restart(const std::string& name, const std::string& argument) {
  const auto found = scripts_.find(name);
  if (found == scripts_.end()) return start(name, argument);
  auto& script = found->second;
  if (!argument.empty()) script.argument = argument;
  if (!script.process && !script.session) return launch(name, script);
  script.wish = Script::Wish::again;
  if (const auto session = script.session) session->close("restarted");
  return {};
}

tl::expected<void, std::string> Scripts::execute(const std::string& name, const std::string& argument) {
  std::vector<std::string> command{script_path(engine_, settings_, name).string()};
  if (!argument.empty()) command.push_back(argument);
  const auto id = next_id_++;
  auto process = Process::start(engine_, std::move(command), [this, id, name](const std::string& how, bool) {
    log_.info("event=program-ended program={} how={}", log_value(name), log_value(how));
    engine_.post([gone = std::shared_ptr<Process>(std::move(executed_.extract(id).mapped()))] {});  // in a turn of its own: it says so itself
  });
  if (!process) return tl::unexpected(process.error());
  (*process)->take_connection()->close();
  executed_.emplace(id, std::move(*process));
  return {};
}

void Scripts::session_ended(const std::string& name, const Session& session, std::string_view why) {
  const auto found = scripts_.find(name);
  if (found == scripts_.end()) return;
  auto& script = found->second;
  log_.info("event=script-closed script={} why={}", log_value(name), log_value(why));
  script.asked_again = session.locals().restart;
  if (why == "quit") script.wish = Script::Wish::gone;
  script.session.reset();
  if (!script.process) return finish(name, script);
  script.process->terminate();
  start_timer(name, script, kPatience);
}

void Scripts::process_ended(const std::string& name, const std::string& how, bool well) {
  const auto found = scripts_.find(name);
  if (found == scripts_.end()) return;
  auto& script = found->second;
  script.how = how;
  script.well = well;
  // In a turn of its own: this may be called by it.
  engine_.post([gone = std::shared_ptr<Process>(std::move(script.process))] {});
  // What it wrote last is still to be read; then its lines end, too.
  if (!script.session) finish(name, script);
}

void Scripts::finish(const std::string& name, Script& script) {
  due_.erase(script.timer_id);
  const bool as_configured = script.asked_again || settings_.restart == Restart::always || (settings_.restart == Restart::failure && !script.well);
  const bool again = !engine_.draining() && (script.wish == Script::Wish::again || (script.wish == Script::Wish::as_configured && as_configured));
  log_.warning("event=script-ended script={} how={} again={}", log_value(name), log_value(script.how), again);
  if (!again) {
    scripts_.erase(scripts_.find(name));
    return;
  }
  if (script.wish == Script::Wish::again || engine_.clock().now() - script.started >= kRanWell) script.pause = {};
  start_later(name, script);
}

void Scripts::start_later(const std::string& name, Script& script) {
  script.pause = std::clamp(script.pause * 2, kFirstPause, kLongestPause);
  start_timer(name, script, script.pause);
}

void Scripts::start_timer(const std::string& name, Script& script, Duration delay) {
  script.timer_id = next_id_++;
  due_.emplace(script.timer_id, name);
  engine_.timers().start(sink_, script.timer_id, delay);
}

void Scripts::each_session(const std::function<void(const Session&)>& visit) const {
  for (const auto& [name, script] : scripts_)
    if (script.session) visit(*script.session);
}

std::string Scripts::list() const {
  std::string out;
  for (const auto& [name, script] : scripts_) {
    if (!script.process) out += fmt::format("{} not running, started again in at most {} s\r\n", name, (script.pause.count() + 999) / 1000);
    else out += fmt::format("{} pid={} {} restarts={}\r\n", name, script.process->pid(), script.session ? script.session->summary() : "ending", script.restarts);
  }
  return out;
}

}  // namespace jackfield::extmodule
