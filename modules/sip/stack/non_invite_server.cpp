#include "stack/non_invite_server.h"

namespace jackfield::sip::stack {

Actions NonInviteServer::start() {
  return {{Do::start, Timer::f, times_->give_up()}};    // RFC 4320 §4.2: by then the client has given up, and nobody is left to answer
}

Actions NonInviteServer::request() {
  switch (state_) {
    case State::trying:
      return {};                                        // §17.2.2: discarded
    case State::proceeding:
    case State::completed:
      return {{Do::send}};                              // §17.2.2: the most recent response
    case State::terminated:
      return {};
  }
  return {};
}

Actions NonInviteServer::respond(int status) {
  switch (state_) {
    case State::trying:
    case State::proceeding:
      if (status < 200) {
        state_ = State::proceeding;                     // §17.2.2
        return {{Do::send}};
      }
      if (reliable_) {
        state_ = State::terminated;                     // §17.2.2: J is zero on a reliable transport
        return {{Do::send}, {Do::end}};
      }
      state_ = State::completed;                        // §17.2.2
      return {{Do::send}, {Do::stop, Timer::f}, {Do::start, Timer::j, times_->j()}};
    case State::completed:
    case State::terminated:
      return {};
  }
  return {};
}

Actions NonInviteServer::timer(Timer fired) {
  const bool answered = state_ == State::completed, over = state_ == State::terminated;
  if (over || fired != (answered ? Timer::j : Timer::f)) return {};
  state_ = State::terminated;                           // §17.2.2; RFC 4320 §4.2
  return {{Do::end}};
}

Actions NonInviteServer::transport_failed() {
  switch (state_) {
    case State::trying:
    case State::proceeding:
    case State::completed:
      state_ = State::terminated;                       // §17.2.4; the user of a non-INVITE has nothing to undo
      return {{Do::end}};
    case State::terminated:
      return {};
  }
  return {};
}

}  // namespace jackfield::sip::stack
