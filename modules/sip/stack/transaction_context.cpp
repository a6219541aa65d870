#include "stack/transaction_context.h"

namespace jackfield::sip::stack {

TimerRoles::Role TimerRoles::role_of(Timer timer) {
  switch (timer) {
    case Timer::a:
    case Timer::e:
    case Timer::g:
    case Timer::trying:
    case Timer::success:
      return retry;
    case Timer::b:
    case Timer::c:
    case Timer::f:
    case Timer::h:
    case Timer::cancel_wait:
      return deadline;
    case Timer::d:
    case Timer::i:
    case Timer::j:
    case Timer::k:
    case Timer::l:
    case Timer::m:
      return linger;
  }
  return linger;
}

void TimerRoles::stop_all(TimerWheel& wheel) {
  for (TimerHandle& handle : handles_) {
    if (handle) wheel.stop(handle);
    handle = {};
  }
}

TimerSinks::TimerSinks(TimerWheel& wheel, Fired fired) : wheel_(wheel), fired_(std::move(fired)) {
  for (std::size_t i = 0; i < kTimers; ++i)
    sinks_[i] = wheel_.add_sink([this, timer = static_cast<Timer>(i)](std::uint64_t id) { fired_(timer, id); });
}

TimerSinks::~TimerSinks() {
  for (const TimerSinkId sink : sinks_) wheel_.remove_sink(sink);
}

void TimerSinks::start(TimerRoles& roles, std::uint64_t id, Timer timer, Milliseconds delay) {
  stop(roles, timer);
  roles[timer] = wheel_.start(sinks_[static_cast<std::size_t>(timer)], id, delay, TimerRoles::kind_of(timer));
}

void TimerSinks::stop(TimerRoles& roles, Timer timer) {
  TimerHandle& handle = roles[timer];
  if (handle) wheel_.stop(handle);
  handle = {};
}

}  // namespace jackfield::sip::stack
