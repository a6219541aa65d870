// What both sides of the transaction layer share: where bytes go, who is told, times, and the timers of each transaction.
// Owned by Transactions; engine thread.
#pragma once

#include <array>
#include <functional>
#include <string>

#include "stack/keyed_hash.h"
#include "stack/machine.h"
#include "stack/transactions.h"

#include <jackfield/timers.h>

namespace jackfield::sip::stack {

struct TransactionContext {
  TimerWheel& wheel;
  Times times;
  HashKey hash_key;
  Transport* transport = nullptr;
  TransactionUser* user = nullptr;
  std::string scratch;  ///< for bytes on their way to the transport
};

/// The timers one transaction may run at once. Timers of one role never run together.
class TimerRoles {
 public:
  enum Role : std::uint8_t { retry, deadline, linger };
  static Role role_of(Timer timer);
  /// Only what cleans up may wait for the full second.
  static TimerKind kind_of(Timer timer) { return role_of(timer) == linger ? TimerKind::coarse : TimerKind::precise; }

  TimerHandle& operator[](Timer timer) { return handles_[role_of(timer)]; }
  void stop_all(TimerWheel& wheel);

 private:
  std::array<TimerHandle, 3> handles_{};
};

/// One sink for each letter, so that a timer's id is the transaction's.
class TimerSinks {
 public:
  using Fired = std::function<void(Timer timer, std::uint64_t id)>;
  TimerSinks(TimerWheel& wheel, Fired fired);
  ~TimerSinks();
  TimerSinks(const TimerSinks&) = delete;

  void start(TimerRoles& roles, std::uint64_t id, Timer timer, Milliseconds delay);
  void stop(TimerRoles& roles, Timer timer);

 private:
  TimerWheel& wheel_;
  Fired fired_;
  std::array<TimerSinkId, kTimers> sinks_{};
};

}  // namespace jackfield::sip::stack
