#include "stack/invite_client.h"

namespace jackfield::sip::stack {

Actions InviteClient::start() {
  Actions actions{{Do::send}};
  interval_ = times_->t1;
  if (!reliable_) actions.start(Timer::a, interval_);       // §17.1.1.2: A starts at T1 on an unreliable transport
  return actions.start(Timer::b, times_->give_up());        // §17.1.1.2: B starts at 64*T1 on any
}

Actions InviteClient::response(int status) {
  switch (state_) {
    case State::calling:
    case State::proceeding:
      if (status < 200) return provisional(status);
      if (status < 300) {
        state_ = State::accepted;                            // RFC 6026 §7.2: a 2xx leads to Accepted, M keeps it there
        return {{Do::stop, Timer::a}, {Do::stop, Timer::b}, {Do::stop, Timer::c}, {Do::stop, Timer::cancel_wait},
                {Do::start, Timer::m, times_->give_up()}, {Do::deliver}};
      }
      if (reliable_) {
        state_ = State::terminated;                          // §17.1.1.2: D is zero on a reliable transport
        return {{Do::send_ack}, {Do::deliver}, {Do::end}};
      }
      state_ = State::completed;                             // §17.1.1.2: 300–699: ACK, then absorb repetitions for D
      return {{Do::stop, Timer::a}, {Do::stop, Timer::b}, {Do::stop, Timer::c}, {Do::stop, Timer::cancel_wait},
              {Do::send_ack}, {Do::start, Timer::d, times_->d()}, {Do::deliver}};
    case State::completed:
      if (status >= 300) return {{Do::send_ack}};            // §17.1.1.2: a repeated final response: the ACK again, not the user
      return {};
    case State::accepted:
      if (status >= 200 && status < 300) return {{Do::deliver}};  // RFC 6026 §7.2: each 2xx, also of other branches of a fork
      return {};
    case State::terminated:
      return {};
  }
  return {};
}

Actions InviteClient::provisional(int status) {
  Actions actions;
  if (state_ == State::calling) {
    state_ = State::proceeding;                              // §17.1.1.2: no retransmission after a provisional response
    actions.stop(Timer::a).stop(Timer::b);
    if (cancel_ != Cancel::asked && times_->timer_c.count()) actions.start(Timer::c, times_->timer_c);
  } else if (status > 100 && cancel_ == Cancel::no && times_->timer_c.count()) {
    actions.start(Timer::c, times_->timer_c);                // §16.7 step 2: C begins anew with each 101–199
  }
  actions.add(Do::deliver);
  return cancel_ == Cancel::asked ? send_cancel(actions) : actions;  // §9.1: the CANCEL waited for this
}

Actions InviteClient::send_cancel(Actions actions) {
  cancel_ = Cancel::sent;
  return actions.add(Do::send_cancel).stop(Timer::c).start(Timer::cancel_wait, times_->give_up());
}

Actions InviteClient::cancel() {
  if (cancel_ != Cancel::no) return {};
  switch (state_) {
    case State::calling:
      cancel_ = Cancel::asked;                               // §9.1: not before a provisional response
      return {};
    case State::proceeding:
      return send_cancel({});
    case State::completed:
    case State::accepted:
    case State::terminated:
      return {};                                             // §9.1: no effect after the final response
  }
  return {};
}

Actions InviteClient::timer(Timer fired) {
  switch (state_) {
    case State::calling:
      if (fired == Timer::a) {                               // §17.1.1.2: again, and wait twice as long
        interval_ *= 2;
        return {{Do::send}, {Do::start, Timer::a, interval_}};
      }
      if (fired == Timer::b) {                               // §17.1.1.2: nobody answered
        state_ = State::terminated;
        return {{Do::timed_out}, {Do::end}};
      }
      return {};
    case State::proceeding:
      if (fired == Timer::c && cancel_ == Cancel::no) return send_cancel({});  // §16.8: as if it had been cancelled
      if (fired == Timer::cancel_wait) {                     // §9.1: 64*T1 after the CANCEL it counts as cancelled
        state_ = State::terminated;
        return {{Do::timed_out}, {Do::end}};
      }
      return {};
    case State::completed:
      if (fired != Timer::d) return {};
      state_ = State::terminated;                            // §17.1.1.2
      return {{Do::end}};
    case State::accepted:
      if (fired != Timer::m) return {};
      state_ = State::terminated;                            // RFC 6026 §7.2
      return {{Do::end}};
    case State::terminated:
      return {};
  }
  return {};
}

Actions InviteClient::transport_failed() {
  switch (state_) {
    case State::calling:
    case State::proceeding:
      state_ = State::terminated;                            // §17.1.4
      return {{Do::lost}, {Do::end}};
    case State::completed:                                   // the user has its final response already
    case State::accepted:                                    // RFC 6026 §7.2: another 2xx may still come another way
    case State::terminated:
      return {};
  }
  return {};
}

}  // namespace jackfield::sip::stack
