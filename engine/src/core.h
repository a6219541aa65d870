// The engine itself: owns the loop, the bus, the timer wheel, the channels, the counters and the loggers, and turns the loop.
// A test gives it a clock and randomness of its own and turns it by hand. Engine thread only, except post(), stop() and loggers.
#pragma once

#include <jackfield/engine.h>

#include "clock.h"
#include "recorder/flight_recorder.h"
#include "log/log_feed.h"
#include "watchdog.h"

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace jackfield {

class Core final : public Engine {
 public:
  /// What is injected lives longer than the Core.
  struct Parts {
    TurnClock& clock;
    Random& random;
    LogSink& log;
    std::filesystem::path state_dir;
    std::map<std::string, std::string, std::less<>> run_parameters = {};  ///< `runid` starts the billids
    bool offline = false;  ///< Engine::offline()
  };
  explicit Core(Parts parts);
  ~Core() override;

  Bus& bus() override { return bus_; }
  TimerWheel& timers() override { return timers_; }
  ChannelTable& channels() override { return channels_; }
  const Clock& clock() const override { return parts_.clock; }
  Random& random() override { return parts_.random; }
  Metrics& metrics() override { return metrics_; }
  FlightRecorder& recorder() override { return recorder_; }
  boost::asio::io_context& io() override { return *io_; }
  Logger& log(std::string_view module) override;
  std::shared_ptr<void> watch_log(std::function<void(LogLevel, std::string_view)> watcher) override { return log_feed_.watch(std::move(watcher)); }
  void spawn(std::string_view name, Task<> task) override;
  void post(std::function<void()> work) override;
  std::optional<std::string_view> run_parameter(std::string_view name) const override;
  const std::filesystem::path& state_dir() const override { return parts_.state_dir; }
  bool draining() const override { return draining_; }
  bool offline() const override { return parts_.offline; }
  bool module_loaded(std::string_view name) const override { return module_loaded_ && module_loaded_(name); }

  // For the program, on the engine thread.
  /// An existing parameter keeps its value, as Yate's do; false then.
  bool add_run_parameter(std::string name, std::string value);
  const std::map<std::string, std::string, std::less<>>& run_parameters() const { return parts_.run_parameters; }
  /// Whether new work is refused.
  void set_draining(bool draining) { draining_ = draining; }
  /// Who answers module_loaded().
  void set_module_loaded(std::function<bool(std::string_view)> answer) { module_loaded_ = std::move(answer); }
  /// Who answers run_parameter("config.…"): what follows the dot, in the engine's own file.
  void set_written(std::function<std::optional<std::string_view>(std::string_view)> answer) { written_ = std::move(answer); }
  /// The level of every logger, also of those made later; a single one is set by log(name).set_level().
  void set_log_level(LogLevel level);
  /// Loggers made so far, by name.
  std::vector<Logger*> loggers() const;
  /// What was logged last.
  LogFeed& log_feed() { return log_feed_; }

  /// Turns the loop until stop() is called, watched by the watchdog. It may be run again.
  void run();
  /// Ends run() after the turn under way. From any thread and from a signal handler of Asio.
  void stop();
  /// Turns the loop until no task, dispatch or enqueued message is left, or until `limit` of the clock has passed. Answers what was
  /// left (names of tasks), empty when all ended: what "awaited at the end" means.
  std::vector<std::string> finish(Duration limit);
  /// Runs what is ready and fires what is due, without waiting. True when there was anything.
  bool turn();
  /// Nothing enqueued and no dispatch under way; spawned tasks may still wait.
  bool idle() const { return bus_.in_flight() == 0 && bus_.queued() == 0; }
  std::size_t running_tasks() const { return tasks_->size(); }

 private:
  void turn_waiting();
  void end_turn();
  Bus::Host host();
  void put_off_watchdog(std::chrono::steady_clock::time_point now);

  Parts parts_;
  // Destroyed by ~Core while everything below still stands: what lies in its queue refers to them.
  std::unique_ptr<boost::asio::io_context> io_;
  LogFeed log_feed_;
  mutable std::mutex loggers_mutex_;  // any thread may ask for its logger
  std::map<std::string, std::unique_ptr<Logger>, std::less<>> loggers_;
  LogLevel level_ = LogLevel::info;
  Logger& log_;
  Metrics metrics_;
  std::shared_ptr<std::list<std::string>> tasks_ = std::make_shared<std::list<std::string>>();
  std::atomic<const char*> running_{nullptr};
  std::atomic<std::uint64_t> turns_{0};
  std::atomic<bool> stopped_{false};
  std::atomic<bool> closing_{false};
  Watchdog* watchdog_ = nullptr;  // while run() is under way
  std::chrono::steady_clock::time_point put_off_;
  bool draining_ = false;
  std::function<bool(std::string_view)> module_loaded_;
  std::function<std::optional<std::string_view>(std::string_view)> written_;
  TimerWheel timers_;
  FlightRecorder recorder_;
  Bus bus_;
  ChannelTable channels_;
};

}  // namespace jackfield
