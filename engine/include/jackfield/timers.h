// The one timer wheel. A timer is (sink, id, time): sinks are registered once by whoever owns the things that expire, ids are
// looked up again when the timer fires. Precise timers have a step of 10 ms; coarse ones (clean-up, expiry, idle) fire
// together on the full second. Starting and stopping cost O(1) and, once warm, no allocation. Engine thread only.
#pragma once

#include <jackfield/clock.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace jackfield {

enum class TimerKind : std::uint8_t { precise, coarse };

/// Names one started timer; stale handles are harmless.
struct TimerHandle {
  std::uint32_t slot = UINT32_MAX;
  std::uint32_t generation = 0;
  explicit operator bool() const { return slot != UINT32_MAX; }
};

using TimerSinkId = std::uint32_t;
using TimerSink = std::function<void(std::uint64_t id)>;

class TimerWheel {
 public:
  explicit TimerWheel(const Clock& clock);
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;

  TimerSinkId add_sink(TimerSink sink);
  /// Drops the sink's timers too.
  void remove_sink(TimerSinkId sink);

  TimerHandle start(TimerSinkId sink, std::uint64_t id, Duration delay, TimerKind kind = TimerKind::precise);
  /// False when it already fired or was stopped.
  bool stop(TimerHandle handle);

  /// Fires what is due at clock.now(). A timer never fires early, nor inside start().
  void advance();
  /// When advance() next has something to do; nothing when no timer runs.
  std::optional<MonoTime> next_due() const;
  std::size_t running() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace jackfield
