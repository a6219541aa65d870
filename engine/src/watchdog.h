// A thread that looks once a second whether the engine thread still comes back from its handlers.
#pragma once

#include <jackfield/log.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace jackfield {

/// Names in the log a handler that was running in the same turn at two looks. `turns` counts the loop's turns, `running` is the
/// handler noted by the bus, null between turns.
class Watchdog {
 public:
  Watchdog(const std::atomic<std::uint64_t>& turns, const std::atomic<const char*>& running, Logger& log,
           std::chrono::milliseconds look_every = std::chrono::seconds(1));
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;

 private:
  void watch();

  const std::atomic<std::uint64_t>& turns_;
  const std::atomic<const char*>& running_;
  Logger& log_;
  const std::chrono::milliseconds look_every_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace jackfield
