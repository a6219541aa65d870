#include "lifecycle/server.h"

#include "lifecycle/libraries.h"
#include "lifecycle/privileges.h"
#include "lifecycle/version.h"
#include "log/levels.h"
#include "log/program_log.h"

#include <jackfield/messages/engine.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>

#include <csignal>
#include <stdexcept>

namespace jackfield {

using namespace messages;

namespace {

/// D16: with no drain_timeout a stop takes less than two seconds, whatever the modules do.
constexpr Duration kDrainLimit{1000};
constexpr Duration kStopLimit{300};
constexpr Duration kFlushLimit{400};
constexpr Duration kStep{10};

StateLock locked(const std::filesystem::path& state_dir) {
  auto lock = StateLock::take(state_dir);
  if (!lock) throw std::runtime_error(lock.error());
  return std::move(*lock);
}

/// No two runs on one state directory have the same `runid`, however soon one follows the other.
std::map<std::string, std::string, std::less<>> begin_run(StateLock& lock, Configuration& configuration) {
  const auto run = lock.begin_run(std::chrono::duration_cast<std::chrono::seconds>(configuration.started().time_since_epoch()).count());
  if (!run) throw std::runtime_error(run.error());
  configuration.begin_run(WallTime(std::chrono::seconds(*run)));
  return configuration.run_parameters();
}

void log_problem(Logger& log, const Problem& problem) {
  const bool error = problem.severity == Problem::Severity::error;
  const auto text = settings::to_text(problem);
  if (error) log.error("event=configuration problem={}", log_value(text));
  else log.warning("event=configuration problem={}", log_value(text));
}

}  // namespace

struct Server::Signals {
  explicit Signals(boost::asio::io_context& io) : stop(io, SIGTERM, SIGINT), reload(io, SIGHUP, SIGQUIT) {}
  boost::asio::signal_set stop, reload;
};

Server::Server(Parts parts)
    : configuration_(std::move(parts.configuration)),
      program_log_(parts.log),
      verbosity_(parts.verbosity),
      notify_(std::move(parts.notify)),
      handle_signals_(parts.handle_signals),
      lock_(locked(configuration_->state_dir())),
      core_({.clock = parts.clock,
             .random = parts.random,
             .log = parts.log,
             .state_dir = configuration_->state_dir(),
             .run_parameters = begin_run(lock_, *configuration_)}),
      log_(core_.log("engine")),
      started_(core_.clock().now()),
      pendings_(core_.timers()),
      modules_(core_),
      problems_(std::move(parts.problems)) {
  core_.set_module_loaded([this](std::string_view name) { return modules_.started(name); });
  core_.set_written([this](std::string_view name) { return settings::written(configuration_->main_table(), configuration_->main(), name); });
  apply_settings();
  handlers_ = install_engine_handlers(*this);
  control_ = std::make_unique<ControlServer>(core_);
}

Server::~Server() {
  if (tick_sink_) core_.timers().remove_sink(*tick_sink_);
}

Message Server::make(std::string_view name) { return Message(name, core_.clock().wall()); }

Modules::Read Server::reader() const {
  return [this](const KeyTable& table) { return configuration_->read(table); };
}

void Server::apply_settings() {
  core_.channels().set_takeover_timeout(configuration_->engine().takeover_timeout);
  core_.recorder().set_room(configuration_->engine().recorder_calls, configuration_->engine().recorder_registrations);
  core_.set_log_level(shifted(configuration_->engine().loglevel, verbosity_));
  for (const auto& [module, level] : configuration_->engine().debug) core_.log(module).set_level(level);
}

void Server::log_problems(const Problems& problems) {
  for (const auto& problem : problems) log_problem(log_, problem);
}

bool Server::run() {
  // Before the modules start: by the kernel's default a SIGHUP that comes meanwhile would end the process.
  if (handle_signals_) install_signals();
  core_.spawn("life", live());
  core_.run();
  // live() ended and stopped the loop. What modules have left to say is said while they and their libraries are there.
  control_.reset();
  pendings_.stop();
  handlers_.clear();
  modules_.stop();
  for (const auto& left : core_.finish(kFlushLimit)) log_.warning("event=task_left task={}", log_value(left));
  signals_.reset();
  log_.info("event=stopped");
  return !failed_;
}

Task<> Server::live() {
  const auto load = [this](std::string_view section) {
    auto problems = load_libraries(configuration_->main(), section);
    problems_.insert(problems_.end(), problems.begin(), problems.end());
  };
  load("preload");
  auto modules = configuration_->descriptors(problems_);
  auto report = settings::has_errors(problems_) ? Modules::Report{} : modules_.start(modules, reader());
  load("postload");
  problems_.insert(problems_.end(), report.problems.begin(), report.problems.end());
  log_problems(problems_);
  if (!report.done || !become_user()) {
    log_.error("event=start_refused problems={}", problems_.size());
    failed_ = true;
    core_.stop();
    co_return;
  }
  auto init = broadcast(kEngineInit);
  co_await std::move(init);
  auto start = broadcast(kEngineStart);
  co_await std::move(start);
  tick_sink_ = core_.timers().add_sink([this](std::uint64_t) { tick(); });
  start_tick();
  ready_ = true;
  report_limits(log_);
  notify_("READY=1");
  log_.info("event=ready version={} modules={} state_dir={} config_dir={}", log_value(version_text()), modules_.names().size(),
            log_value(core_.state_dir().string()), log_value(configuration_->places().config_dir.string()));
  while (!stopping_) {
    auto waiting = pendings_.open<bool>(std::chrono::hours(24));
    stop_wait_ = waiting.id();
    auto woken = co_await waiting.wait();
    (void)woken;
  }
  auto ending = end();
  co_await std::move(ending);
  core_.stop();
}

Task<> Server::end() {
  core_.set_draining(true);
  notify_("STOPPING=1");
  log_.info("event=stopping channels={}", core_.channels().size());
  const auto patience = configuration_->engine().drain_timeout;
  if (patience > Duration(0)) {
    auto calls = await([this] { return hurried_ || core_.channels().size() == 0; }, patience);
    co_await std::move(calls);
  }
  // Drains that take too long are left behind: stop() and the end of the loop cut them off.
  auto drained = std::make_shared<bool>(false);
  core_.spawn("drain", drain_modules(modules_, drained));
  auto draining = await([drained] { return *drained; }, kDrainLimit);
  co_await std::move(draining);
  if (!*drained) log_.warning("event=drain_cut_off limit_ms={}", kDrainLimit.count());
  const auto deadline = core_.clock().now() + kStopLimit;
  for (bool busy = true; busy && core_.clock().now() < deadline;) {
    Message stop = make(kEngineStop);
    stop.set_broadcast(true);
    auto verdict = core_.bus().dispatch(stop);
    busy = co_await settle(std::move(verdict));
    if (busy) {
      auto wait = pause(Duration(50));
      co_await std::move(wait);
    }
  }
  auto halt = broadcast(kEngineHalt);
  co_await std::move(halt);
  // Records of the last calls are under way on the bus.
  auto flushed = await([this] { return core_.idle(); }, kFlushLimit);
  co_await std::move(flushed);
}

Task<> Server::drain_modules(Modules& modules, std::shared_ptr<bool> done) {
  auto drain = modules.drain();
  co_await std::move(drain);
  *done = true;
}

Task<> Server::broadcast(std::string_view name) {
  Message message = make(name);
  message.set_broadcast(true);
  message.set(param::kNodename, core_.run_parameter("nodename").value_or(""));
  message.set(param::kTime, std::chrono::duration_cast<std::chrono::seconds>(core_.clock().wall().time_since_epoch()).count());
  auto verdict = core_.bus().dispatch(message);
  const bool handled = co_await settle(std::move(verdict));
  (void)handled;
}

Task<> Server::pause(Duration time) {
  auto waiting = pendings_.open<bool>(time);
  auto woken = co_await waiting.wait();
  (void)woken;
}

Task<> Server::await(std::function<bool()> done, Duration limit) {
  const auto deadline = core_.clock().now() + limit;
  while (!done() && core_.clock().now() < deadline) {
    auto step = pause(kStep);
    co_await std::move(step);
  }
}

// At the next full second: a whole second from a moment just after one would end at the one after next.
void Server::start_tick() {
  const auto now = core_.clock().now();
  core_.timers().start(*tick_sink_, 0, std::chrono::floor<std::chrono::seconds>(now) + std::chrono::seconds(1) - now, TimerKind::coarse);
}

void Server::tick() {
  start_tick();
  notify_("WATCHDOG=1");
  if (!core_.bus().has_handlers(kEngineTimer)) return;
  Message timer = make(kEngineTimer);
  timer.set_broadcast(true);
  timer.set(param::kTime, std::chrono::duration_cast<std::chrono::seconds>(core_.clock().wall().time_since_epoch()).count());
  timer.set(param::kNodename, core_.run_parameter("nodename").value_or(""));
  core_.bus().enqueue(std::move(timer));
}

Modules::Report Server::reload(std::string_view only) {
  program_log_.reopen();
  if (ready_) notify_("RELOADING=1");
  auto fresh = configuration_->again();
  Modules::Report report{.done = false, .problems = fresh->load()};
  if (!settings::has_errors(report.problems)) {
    auto modules = modules_.reload([&fresh](const KeyTable& table) { return fresh->read(table); }, only);
    report.done = modules.done;
    report.problems.insert(report.problems.end(), modules.problems.begin(), modules.problems.end());
  }
  if (report.done) {
    if (only.empty()) report_unchangeable(configuration_->main_table(), configuration_->main(), fresh->main(), report.problems);
    for (const auto& module : fresh->enabled())
      if (!modules_.started(module.name))
        report.problems.push_back({Problem::Severity::warning, module.where, fmt::format("`{0}` is not loaded yet: `jackfield module load {0}`", module.name)});
    configuration_ = std::move(fresh);
    if (only.empty()) apply_settings();
    Message init = make(kEngineInit);
    init.set_broadcast(true);
    if (!only.empty()) init.set(param::kPlugin, only);
    core_.bus().enqueue(std::move(init));
  }
  if (ready_) notify_("READY=1");
  log_problems(report.problems);
  log_.info("event=reload result={} only={}", report.done ? "done" : "refused", log_value(only));
  return report;
}

Modules::Report Server::load_module(std::string_view name) {
  Modules::Report report;
  const auto refuse = [&](std::string text) { report.problems.push_back({Problem::Severity::error, {}, std::move(text)}); };
  if (modules_.started(name)) {
    refuse(fmt::format("module `{}` is loaded already", name));
  } else if (const auto found = configuration_->modules().find(name); !found) {
    refuse(found.error());
  } else {
    report = modules_.start({*found}, reader());
  }
  log_problems(report.problems);
  if (report.done) {
    log_.info("event=module_loaded module={}", name);
    Message init = make(kEngineInit);
    init.set_broadcast(true);
    init.set(param::kPlugin, name);
    core_.bus().enqueue(std::move(init));
  }
  return report;
}

Task<Modules::Report> Server::unload_module(std::string name) {
  auto unloading = modules_.unload(name);
  auto report = co_await std::move(unloading);
  log_problems(report.problems);
  if (report.done) log_.info("event=module_unloaded module={}", name);
  co_return report;
}

// Once the ports are bound and the files are open; before anybody outside is served.
bool Server::become_user() {
  const auto& user = configuration_->engine().user;
  if (user.empty()) {
    warn_about_root(log_);
    return true;
  }
  const auto done = drop_privileges(user, configuration_->state_dir(), configuration_->places().log_file);
  if (!done) {
    problems_.push_back({Problem::Severity::error, configuration_->main().where("general", "user"), done.error()});
    log_problem(log_, problems_.back());
    return false;
  }
  log_.info("event=privileges_dropped user={}", log_value(user));
  return true;
}

bool Server::set_draining(bool draining) {
  if (stopping_) return draining;
  if (core_.draining() == draining) return true;
  core_.set_draining(draining);
  notify_(draining ? "STATUS=Draining: new work is refused" : "STATUS=Ready");
  log_.info("event={} channels={}", draining ? "drain" : "undrain", core_.channels().size());
  return true;
}

void Server::request_stop(int code, bool hurried) {
  hurried_ = hurried_ || hurried;
  if (stopping_) return;
  stopping_ = true;
  exit_code_ = code;
  if (stop_wait_ != 0) pendings_.complete<bool>(stop_wait_, true);
}

void Server::install_signals() {
  signals_ = std::make_unique<Signals>(core_.io());
  wait_for_stop();
  wait_for_reload();
}

// The first signal ends the server in good order. While that waits for calls, a second one ends them now; after the last one that means
// anything the kernel's default stands, and one more ends the process.
void Server::wait_for_stop() {
  signals_->stop.async_wait([this](const boost::system::error_code& error, int number) {
    if (error) return;
    log_.info("event=signal number={}", number);
    hurried_ = stopping_;
    const bool waits = configuration_->engine().drain_timeout > Duration(0);
    request_stop();
    if (!hurried_ && waits) return wait_for_stop();
    boost::system::error_code ignored;
    signals_->stop.clear(ignored);
  });
}

void Server::wait_for_reload() {
  signals_->reload.async_wait([this](const boost::system::error_code& error, int number) {
    if (error) return;
    log_.info("event=signal number={}", number);
    if (!stopping_) reload();
    wait_for_reload();
  });
}

}  // namespace jackfield
