// The engine as unit tests see it: the real core on a clock that the test advances, with randomness from a printed seed, captured
// log lines and a state directory of its own. Nothing happens unless the test turns the loop.
//
//   TestEngine engine;
//   auto handler = engine.bus().install({.message = "user.auth"}, [](Message&) { return true; });
//   engine.advance(500ms);
//   CHECK(engine.logged("event=refused"));
#pragma once

#include <jackfield/engine.h>

#include "../../engine/src/core.h"  // a module may have a core.h of its own

#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace jackfield {

class ManualClock final : public TurnClock {
 public:
  MonoTime now() const override { return mono_; }
  WallTime wall() const override { return wall_; }
  void begin_turn() override {}
  std::optional<MonoTime> turn_began() const override { return {}; }
  void advance(Duration by) { mono_ += by, wall_ += by; }
  /// The wall clock alone: somebody set it.
  void set_wall(WallTime wall) { wall_ = wall; }

 private:
  MonoTime mono_{std::chrono::seconds(1000)};
  WallTime wall_{std::chrono::seconds(1700000000)};
};

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : generator_(seed) {}
  void fill(std::span<std::uint8_t> bytes) override;

 private:
  std::mt19937_64 generator_;
};

struct LoggedLine {
  std::string module;
  LogLevel level;
  std::string text;
};

class TestEngine final : public Engine, private LogSink {
 public:
  /// The seed is JACKFIELD_SEED of the environment, else a new one; it is printed with every failing assertion.
  TestEngine();
  explicit TestEngine(std::uint64_t seed);
  /// Tasks that still wait are dropped, the state directory is removed.
  ~TestEngine() override;

  Bus& bus() override { return core_->bus(); }
  TimerWheel& timers() override { return core_->timers(); }
  ChannelTable& channels() override { return core_->channels(); }
  const Clock& clock() const override { return clock_; }
  Random& random() override { return random_; }
  Metrics& metrics() override { return core_->metrics(); }
  FlightRecorder& recorder() override { return core_->recorder(); }
  boost::asio::io_context& io() override { return core_->io(); }
  Logger& log(std::string_view module) override { return core_->log(module); }
  std::shared_ptr<void> watch_log(std::function<void(LogLevel, std::string_view)> watcher) override { return core_->watch_log(std::move(watcher)); }
  void spawn(std::string_view name, Task<> task) override { core_->spawn(name, std::move(task)); }
  void post(std::function<void()> work) override { core_->post(std::move(work)); }
  std::optional<std::string_view> run_parameter(std::string_view name) const override { return core_->run_parameter(name); }
  const std::filesystem::path& state_dir() const override { return core_->state_dir(); }
  bool draining() const override { return core_->draining(); }
  bool module_loaded(std::string_view name) const override { return core_->module_loaded(name); }

  Core& core() { return *core_; }
  ManualClock& manual_clock() { return clock_; }
  std::uint64_t seed() const { return seed_; }

  /// Runs what is ready and what is due now, until nothing is left. Answers whether there was anything.
  bool run_until_idle();
  /// Moves both clocks on, from one due timer to the next, so that each timer fires at its own time; runs until idle each time.
  void advance(Duration by);
  /// Turns the loop, waiting for real sockets and threads, until `done` or until `limit` of real time has passed: false then.
  bool run_until(const std::function<bool()>& done, Duration limit = std::chrono::seconds(10));
  /// Spawns the task and turns the loop until it ended or nothing more can happen without advance(); its value if it ended.
  template <class T>
  std::optional<T> run(Task<T> task);
  /// Dispatches and waits for the verdict as run() does.
  std::optional<bool> dispatch(Message& message);

  const std::vector<LoggedLine>& lines() const { return lines_; }
  /// True when a captured line contains `part`.
  bool logged(std::string_view part) const;
  void clear_lines() { lines_.clear(); }

 private:
  void write(const Logger& logger, LogLevel level, std::string_view text) override;
  struct SeedPrinter;

  std::uint64_t seed_;
  ManualClock clock_;
  SeededRandom random_;
  std::mutex lines_mutex_;
  std::vector<LoggedLine> lines_;
  std::unique_ptr<SeedPrinter> seed_printer_;
  std::unique_ptr<Core> core_;
};

namespace detail {
template <class T>
Task<> store_result(Task<T> task, std::shared_ptr<std::optional<T>> result) {
  *result = co_await std::move(task);
}
}  // namespace detail

template <class T>
std::optional<T> TestEngine::run(Task<T> task) {
  auto result = std::make_shared<std::optional<T>>();
  spawn("test", detail::store_result(std::move(task), result));
  run_until_idle();
  return std::move(*result);
}

}  // namespace jackfield
