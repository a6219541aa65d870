#include "core.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace jackfield {
namespace {

using namespace std::chrono_literals;

constexpr Duration kSlowTurn = 20ms;
constexpr Duration kPutOffEvery = 500ms;
constexpr const char* kTimers = "a timer";
constexpr const char* kPosted = "posted work";

std::string run_id(const std::map<std::string, std::string, std::less<>>& parameters) {
  const auto found = parameters.find("runid");
  return found == parameters.end() ? std::string("0") : found->second;
}

/// A task's place in the list of those that run; gives it up when the task ends or is destroyed.
class TaskEntry {
 public:
  TaskEntry(std::shared_ptr<std::list<std::string>> tasks, std::string_view name) : tasks_(std::move(tasks)) {
    tasks_->emplace_front(name);
    place_ = tasks_->begin();
  }
  TaskEntry(TaskEntry&&) noexcept = default;
  ~TaskEntry() {
    if (tasks_) tasks_->erase(place_);
  }
  const std::string& name() const { return *place_; }

 private:
  std::shared_ptr<std::list<std::string>> tasks_;  // null: moved on
  std::list<std::string>::iterator place_;
};

}  // namespace

Core::Core(Parts parts)
    : parts_(std::move(parts)),
      io_(std::make_unique<boost::asio::io_context>(1)),
      log_feed_(parts_.log, [this](std::function<void()> work) { post(std::move(work)); }),
      log_(log("engine")),
      timers_(parts_.clock),
      recorder_(parts_.clock),
      bus_(host()),
      channels_(bus_, timers_, parts_.clock, run_id(parts_.run_parameters)) {}

Core::~Core() {
  bus_.close();
  closing_ = true;
  // Coroutines that still wait end here, with bus and timers still standing.
  io_.reset();
}

Bus::Host Core::host() {
  return {
      .start_task = [this](std::string_view name, Task<> task) { spawn(name, std::move(task)); },
      .post = [this](std::function<void()> work) { post(std::move(work)); },
      .failed = [this](std::string_view handler, std::string_view what) {
        log_.error("event=handler_failed handler={} error={}", log_value(handler), log_value(what));
      },
      .running = &running_,
      .recorder = &recorder_,
  };
}

Logger& Core::log(std::string_view module) {
  const std::lock_guard lock(loggers_mutex_);
  const auto found = loggers_.find(module);
  if (found != loggers_.end()) return *found->second;
  auto logger = std::make_unique<Logger>(std::string(module), &log_feed_);
  logger->set_level(level_);
  return *loggers_.emplace(std::string(module), std::move(logger)).first->second;
}

void Core::set_log_level(LogLevel level) {
  const std::lock_guard lock(loggers_mutex_);
  level_ = level;
  for (const auto& [name, logger] : loggers_) logger->set_level(level);
}

std::vector<Logger*> Core::loggers() const {
  const std::lock_guard lock(loggers_mutex_);
  std::vector<Logger*> all;
  for (const auto& [name, logger] : loggers_) all.push_back(logger.get());
  return all;
}

void Core::spawn(std::string_view name, Task<> task) {
  if (closing_) return;
  boost::asio::co_spawn(*io_, std::move(task), [entry = TaskEntry(tasks_, name), log = &log_](const std::exception_ptr& failure) {
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      log->error("event=task_failed task={} error={}", log_value(entry.name()), log_value(error.what()));
    } catch (...) {
      log->error("event=task_failed task={} error=unknown", log_value(entry.name()));
    }
  });
}

void Core::post(std::function<void()> work) {
  if (closing_) return;
  boost::asio::post(*io_, [this, work = std::move(work)] {
    running_.store(kPosted, std::memory_order_relaxed);
    work();
  });
}

std::optional<std::string_view> Core::run_parameter(std::string_view name) const {
  constexpr std::string_view kWritten = "config.";
  if (name.starts_with(kWritten)) return written_ ? written_(name.substr(kWritten.size())) : std::nullopt;
  const auto found = parts_.run_parameters.find(name);
  if (found == parts_.run_parameters.end()) return {};
  return found->second;
}

bool Core::add_run_parameter(std::string name, std::string value) {
  return parts_.run_parameters.emplace(std::move(name), std::move(value)).second;
}

void Core::stop() {
  stopped_ = true;
  boost::asio::post(*io_, [] {});
}

void Core::run() {
  stopped_ = false;
  const auto work = boost::asio::make_work_guard(*io_);
  Watchdog watchdog(turns_, running_, log_, [this] { boost::asio::post(*io_, [] {}); });
  watchdog_ = &watchdog;
  io_->restart();
  while (!stopped_) turn_waiting();
  watchdog_ = nullptr;
}

/// A loop that turns is no business of the watchdog: without work, its own wake-ups are the only ones.
void Core::put_off_watchdog(std::chrono::steady_clock::time_point now) {
  if (watchdog_ == nullptr || now - put_off_ < kPutOffEvery) return;
  put_off_ = now;
  watchdog_->put_off();
}

// A turn is one handler of the loop and the timers that are due after it. The clock is read when the turn first asks for it, so
// what the loop slept is not counted, and a slow turn has one culprit.
void Core::turn_waiting() {
  parts_.clock.begin_turn();
  try {
    const auto now = std::chrono::steady_clock::now();
    put_off_watchdog(now);
    const auto due = timers_.next_due();
    if (!due) io_->run_one_for(1h);
    // The kernel waits for whole milliseconds: rounded down, each timer would wake us twice.
    else if (*due > now) io_->run_one_for(std::chrono::ceil<std::chrono::milliseconds>(*due - now));
    else io_->poll_one();  // timers that are always due must not starve the rest
  } catch (const std::exception& error) {
    log_.error("event=handler_failed handler=posted error={}", log_value(error.what()));
  }
  end_turn();
}

void Core::end_turn() {
  if (const auto due = timers_.next_due(); due && *due <= parts_.clock.now()) {
    running_.store(kTimers, std::memory_order_relaxed);
    try {
      timers_.advance();
    } catch (const std::exception& error) {
      log_.error("event=timer_failed error={}", log_value(error.what()));
    }
  }
  const char* const last = running_.exchange(nullptr, std::memory_order_relaxed);
  turns_.fetch_add(1, std::memory_order_relaxed);
  const auto began = parts_.clock.turn_began();
  if (!began) return;
  parts_.clock.begin_turn();
  const Duration took = parts_.clock.now() - *began;
  if (took > kSlowTurn) log_.warning("event=slow_turn ms={} handler=\"{}\"", took.count(), last != nullptr ? last : "a task or a socket");
}

bool Core::turn() {
  parts_.clock.begin_turn();
  const auto due = timers_.next_due();
  const bool timer = due && *due <= parts_.clock.now();
  bool ran = true;  // also when it threw
  try {
    io_->restart();
    ran = io_->poll_one() != 0;
  } catch (const std::exception& error) {
    log_.error("event=handler_failed handler=posted error={}", log_value(error.what()));
  }
  end_turn();
  return ran || timer;
}

std::vector<std::string> Core::finish(Duration limit) {
  const auto work = boost::asio::make_work_guard(*io_);
  io_->restart();
  parts_.clock.begin_turn();
  const MonoTime deadline = parts_.clock.now() + limit;
  const TimerSinkId sink = timers_.add_sink([](std::uint64_t) {});
  timers_.start(sink, 0, limit);  // wakes the loop at the deadline
  while (!(idle() && tasks_->empty())) {
    parts_.clock.begin_turn();
    if (parts_.clock.now() >= deadline) break;
    turn_waiting();
  }
  timers_.remove_sink(sink);
  return {tasks_->begin(), tasks_->end()};
}

}  // namespace jackfield
