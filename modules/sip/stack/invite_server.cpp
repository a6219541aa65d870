#include "stack/invite_server.h"

namespace jackfield::sip::stack {

Actions InviteServer::start() {
  return {{Do::start, Timer::trying, times_->trying}};       // §17.2.1: a 100 unless the user answers within 200 ms
}

Actions InviteServer::request() {
  switch (state_) {
    case State::proceeding:
      if (!responded_) return {};
      return {{Do::send}};                                    // §17.2.1: the most recent provisional response
    case State::completed:
      return {{Do::send}};                                    // §17.2.1
    case State::accepted:                                     // RFC 6026 §7.1: absorbed; the 2xx has a timer of its own
    case State::confirmed:
    case State::terminated:
      return {};
  }
  return {};
}

Actions InviteServer::respond(int status) {
  if (state_ != State::proceeding) return {};
  Actions actions;
  if (!responded_) actions.stop(Timer::trying);
  responded_ = true;
  actions.add(Do::send);
  if (status < 200) return actions;                           // §17.2.1
  interval_ = times_->t1;
  if (status < 300) {
    state_ = State::accepted;                                 // RFC 6026 §7.1: L; §13.3.1.4: repeated on any transport
    return actions.start(Timer::success, interval_).start(Timer::l, times_->give_up());
  }
  state_ = State::completed;                                  // §17.2.1: G on an unreliable transport, H on any
  if (!reliable_) actions.start(Timer::g, interval_);
  return actions.start(Timer::h, times_->give_up());
}

Actions InviteServer::ack() {
  switch (state_) {
    case State::completed:
      if (reliable_) {
        state_ = State::terminated;                           // §17.2.1: I is zero on a reliable transport
        return {{Do::end}};
      }
      state_ = State::confirmed;                              // §17.2.1: absorb further ACKs for I
      return {{Do::stop, Timer::g}, {Do::stop, Timer::h}, {Do::start, Timer::i, times_->i()}};
    case State::accepted:
      return {{Do::deliver}};                                 // RFC 6026 §7.1: the core's business
    case State::proceeding:
    case State::confirmed:
    case State::terminated:
      return {};
  }
  return {};
}

Actions InviteServer::acknowledged() {
  if (state_ != State::accepted || acknowledged_) return {};
  acknowledged_ = true;
  return {{Do::stop, Timer::success}};                        // §13.3.1.4
}

Actions InviteServer::timer(Timer fired) {
  switch (state_) {
    case State::proceeding:
      if (fired != Timer::trying || responded_) return {};
      responded_ = true;
      return {{Do::send_trying}};                             // §17.2.1
    case State::completed:
      if (fired == Timer::g) {                                // §17.2.1: again, min(2*G, T2) from now
        interval_ = times_->doubled(interval_);
        return {{Do::send}, {Do::start, Timer::g, interval_}};
      }
      if (fired == Timer::h) {                                // §17.2.1: the ACK never came
        state_ = State::terminated;
        return {{Do::timed_out}, {Do::end}};
      }
      return {};
    case State::confirmed:
      if (fired != Timer::i) return {};
      state_ = State::terminated;                             // §17.2.1
      return {{Do::end}};
    case State::accepted:
      if (fired == Timer::success && !acknowledged_) {        // §13.3.1.4: T1, doubling up to T2
        interval_ = times_->doubled(interval_);
        return {{Do::send}, {Do::start, Timer::success, interval_}};
      }
      if (fired == Timer::l) {                                // RFC 6026 §7.1; without an ACK the session has failed (§13.3.1.4)
        state_ = State::terminated;
        if (acknowledged_) return {{Do::end}};
        return {{Do::timed_out}, {Do::end}};
      }
      return {};
    case State::terminated:
      return {};
  }
  return {};
}

Actions InviteServer::transport_failed() {
  switch (state_) {
    case State::proceeding:
    case State::completed:
      state_ = State::terminated;                             // §17.2.4
      return {{Do::lost}, {Do::end}};
    case State::accepted:
      state_ = State::terminated;
      if (acknowledged_) return {{Do::end}};
      return {{Do::lost}, {Do::end}};
    case State::confirmed:
      state_ = State::terminated;                             // nothing more is expected
      return {{Do::end}};
    case State::terminated:
      return {};
  }
  return {};
}

}  // namespace jackfield::sip::stack
