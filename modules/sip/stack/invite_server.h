// The INVITE server transaction: RFC 3261 §17.2.1, figure 7, with the Accepted state of RFC 6026 §7.1. It also repeats the 2xx until
// the dialog has seen its ACK, which RFC 3261 §13.3.1.4 leaves to the core. Pure; see machine.h. Once acknowledged it exists as a key only
// (completed.h): who carries out its actions puts it there when timer I starts or the dialog has seen the ACK.
#pragma once

#include "stack/machine.h"

namespace jackfield::sip::stack {

class InviteServer {
 public:
  enum class State : std::uint8_t { proceeding, completed, confirmed, accepted, terminated };

  /// `times` outlives the machine.
  InviteServer(const Times& times, bool reliable) : times_(&times), reliable_(reliable) {}

  Actions start();
  /// The INVITE came again.
  Actions request();
  /// The user's response. Nothing after the final one.
  Actions respond(int status);
  /// An ACK with this transaction's branch.
  Actions ack();
  /// The dialog saw the ACK for the 2xx.
  Actions acknowledged();
  Actions timer(Timer fired);
  /// No way is left to the client.
  Actions transport_failed();
  State state() const { return state_; }
  /// The final response was sent and nobody has acknowledged it.
  bool expects_ack() const { return state_ == State::completed || (state_ == State::accepted && !acknowledged_); }

 private:
  const Times* times_;
  Milliseconds interval_{0};  // of timer G and of the 2xx
  State state_ = State::proceeding;
  bool reliable_;
  bool responded_ = false;
  bool acknowledged_ = false;
};

}  // namespace jackfield::sip::stack
