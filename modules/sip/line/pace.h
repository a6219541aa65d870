// Lets connections send REGISTER one after another and not all at once: at the start, after a reload, and when a server that many of
// them share comes back (ZY-4). Who asks twice has one turn. Owned by Lines; engine thread.
#pragma once

#include <jackfield/engine.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <unordered_set>

namespace jackfield::sip::line {

using LineNumber = std::uint64_t;  ///< names one connection for the length of a run; 0: none

class Pace {
 public:
  /// `rate` says how many turns there are in a second, whenever it is asked; `turn` is called in later turns of the loop.
  Pace(Engine& engine, std::function<unsigned()> rate, std::function<void(LineNumber)> turn);
  ~Pace();
  Pace(const Pace&) = delete;

  void ask(LineNumber number);
  void forget(LineNumber number) { waiting_.erase(number); }
  bool waits(LineNumber number) const { return waiting_.contains(number); }

 private:
  void serve();
  void wait();

  Engine& engine_;
  std::function<unsigned()> rate_;
  std::function<void(LineNumber)> turn_;
  std::deque<LineNumber> queue_;  // with those that no longer wait
  std::unordered_set<LineNumber> waiting_;
  std::chrono::microseconds next_{0};  // of the monotonic clock
  TimerSinkId sink_;
  bool running_ = false;
};

}  // namespace jackfield::sip::line
