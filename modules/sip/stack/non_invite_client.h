// The non-INVITE client transaction: RFC 3261 §17.1.2, figure 6. Pure; see machine.h.
#pragma once

#include "stack/machine.h"

namespace jackfield::sip::stack {

class NonInviteClient {
 public:
  enum class State : std::uint8_t { trying, proceeding, completed, terminated };

  /// `times` outlives the machine.
  NonInviteClient(const Times& times, bool reliable) : times_(&times), reliable_(reliable) {}

  Actions start();
  Actions response(int status);
  Actions timer(Timer fired);
  Actions transport_failed();
  State state() const { return state_; }

 private:
  const Times* times_;
  Milliseconds interval_{0};  // of timer E
  State state_ = State::trying;
  bool reliable_;
};

}  // namespace jackfield::sip::stack
