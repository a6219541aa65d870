// The non-INVITE server transaction: RFC 3261 §17.2.2, figure 8. Pure; see machine.h. While completed it exists as key and
// bytes only (completed.h): who carries out its actions puts it there when timer J starts.
#pragma once

#include "stack/machine.h"

namespace jackfield::sip::stack {

class NonInviteServer {
 public:
  enum class State : std::uint8_t { trying, proceeding, completed, terminated };

  /// `times` outlives the machine.
  NonInviteServer(const Times& times, bool reliable) : times_(&times), reliable_(reliable) {}

  Actions start();
  /// The request came again.
  Actions request();
  /// The user's response. Nothing after the final one.
  Actions respond(int status);
  Actions timer(Timer fired);
  /// No way is left to the client.
  Actions transport_failed();
  State state() const { return state_; }

 private:
  const Times* times_;
  State state_ = State::trying;
  bool reliable_;
};

}  // namespace jackfield::sip::stack
