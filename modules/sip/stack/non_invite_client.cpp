#include "stack/non_invite_client.h"

namespace jackfield::sip::stack {

Actions NonInviteClient::start() {
  Actions actions{{Do::send}};
  interval_ = times_->t1;
  if (!reliable_) actions.start(Timer::e, interval_);   // §17.1.2.2: E starts at T1 on an unreliable transport
  return actions.start(Timer::f, times_->give_up());    // §17.1.2.2: F starts at 64*T1 on any
}

Actions NonInviteClient::response(int status) {
  switch (state_) {
    case State::trying:
    case State::proceeding:
      if (status < 200) {
        state_ = State::proceeding;                      // §17.1.2.2: E goes on, from its next turn at T2; F as it was
        return {{Do::deliver}};
      }
      if (reliable_) {
        state_ = State::terminated;                      // §17.1.2.2: K is zero on a reliable transport
        return {{Do::deliver}, {Do::end}};
      }
      state_ = State::completed;                         // §17.1.2.2: absorb repetitions for K
      return {{Do::stop, Timer::e}, {Do::stop, Timer::f}, {Do::start, Timer::k, times_->k()}, {Do::deliver}};
    case State::completed:
    case State::terminated:
      return {};
  }
  return {};
}

Actions NonInviteClient::timer(Timer fired) {
  switch (state_) {
    case State::trying:
    case State::proceeding:
      if (fired == Timer::e) {                           // §17.1.2.2: min(2*E, T2) while Trying, T2 once Proceeding
        interval_ = state_ == State::trying ? times_->doubled(interval_) : times_->t2;
        return {{Do::send}, {Do::start, Timer::e, interval_}};
      }
      if (fired == Timer::f) {                           // §17.1.2.2
        state_ = State::terminated;
        return {{Do::timed_out}, {Do::end}};
      }
      return {};
    case State::completed:
      if (fired != Timer::k) return {};
      state_ = State::terminated;                        // §17.1.2.2
      return {{Do::end}};
    case State::terminated:
      return {};
  }
  return {};
}

Actions NonInviteClient::transport_failed() {
  switch (state_) {
    case State::trying:
    case State::proceeding:
      state_ = State::terminated;                        // §17.1.4
      return {{Do::lost}, {Do::end}};
    case State::completed:
    case State::terminated:
      return {};
  }
  return {};
}

}  // namespace jackfield::sip::stack
