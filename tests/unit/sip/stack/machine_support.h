// Shows actions of the pure machines in a failing assertion, and the times the machine tests use.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <ostream>

#include "stack/machine.h"

namespace jackfield::sip::stack {

inline std::ostream& operator<<(std::ostream& out, const Actions& actions) {
  static constexpr std::array kDo = {"send", "send_ack", "send_cancel", "send_trying", "deliver", "start", "stop", "timed_out", "lost", "end"};
  static constexpr std::array kTimer = {"A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "trying", "success", "cancel_wait"};
  for (const Action& action : actions) {
    out << kDo[static_cast<std::size_t>(action.what)];
    if (action.what == Do::start || action.what == Do::stop) out << ' ' << kTimer[static_cast<std::size_t>(action.timer)];
    if (action.what == Do::start) out << ' ' << action.delay.count() << "ms";
    out << "; ";
  }
  return out;
}

/// What a machine is expected to ask for, in the shape of its own source.
using Expected = Actions;
constexpr Milliseconds ms(int count) { return Milliseconds(count); }
inline const Times kTimes{};
inline const Actions kNothing{};

}  // namespace jackfield::sip::stack
