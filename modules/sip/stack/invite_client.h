// The INVITE client transaction: RFC 3261 §17.1.1, figure 5, with the Accepted state of RFC 6026 §7.2. Pure; see machine.h.
#pragma once

#include "stack/machine.h"

namespace jackfield::sip::stack {

class InviteClient {
 public:
  enum class State : std::uint8_t { calling, proceeding, completed, accepted, terminated };

  /// `times` outlives the machine.
  InviteClient(const Times& times, bool reliable) : times_(&times), reliable_(reliable) {}

  Actions start();
  Actions response(int status);
  Actions timer(Timer fired);
  /// The user gives the call up (§9.1). Asked twice is asked once.
  Actions cancel();
  Actions transport_failed();
  State state() const { return state_; }

 private:
  Actions provisional(int status);
  Actions send_cancel(Actions actions);

  const Times* times_;
  Milliseconds interval_{0};  // of timer A
  State state_ = State::calling;
  bool reliable_;
  enum class Cancel : std::uint8_t { no, asked, sent } cancel_ = Cancel::no;
};

}  // namespace jackfield::sip::stack
