// A thread that looks whether the engine thread still comes back from its handlers.
#pragma once

#include <jackfield/log.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

namespace jackfield {

/// Names in the log what was running in the same turn at two looks. `turns` counts the loop's turns, `running` is what the loop or the
/// bus noted (a handler, a timer, posted work), null between turns. Null is also what a loop that waits and one that is held by something
/// nobody noted (a task that goes on, a socket's reader) look like: `probe`, called on this thread, gives the loop something to turn for,
/// and who has not turned at the next look is held. It looks every `look_every`, unless it is put off.
class Watchdog {
 public:
  Watchdog(const std::atomic<std::uint64_t>& turns, const std::atomic<const char*>& running, Logger& log, std::function<void()> probe,
           std::chrono::milliseconds look_every = std::chrono::seconds(1));
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;

  /// The next look is one and a half times `look_every` from now: a loop that says so that often is never looked at, and its
  /// thread need not wake up for it.
  void put_off();

 private:
  void watch();
  void look_in(std::chrono::milliseconds delay);

  const std::atomic<std::uint64_t>& turns_;
  const std::atomic<const char*>& running_;
  Logger& log_;
  const std::function<void()> probe_;
  const std::chrono::milliseconds look_every_;
  const int timer_;  // a timer that can be put off while the thread waits for it (timerfd)
  std::mutex mutex_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace jackfield
