// What the four machines of RFC 3261 §17 have in common: times, timers by their letters, and the actions a transition asks for.
// The machines do no I/O and hold no bytes: an event goes in, actions come out, and transactions.cpp carries them out in order.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <cstdint>
#include <initializer_list>

namespace jackfield::sip::stack {

using Milliseconds = std::chrono::milliseconds;

/// RFC 3261 table 4, and two intervals of our own.
struct Times {
  Milliseconds t1{500}, t2{4000}, t4{5000};
  Milliseconds timer_c{180000};  ///< 0: none
  Milliseconds linger{0};        ///< in place of D, I, J, K when not 0
  Milliseconds trying{150};      ///< then a 100 leaves; RFC 3261 §17.2.1 wants it there within 200 ms

  Milliseconds give_up() const { return 64 * t1; }                                                ///< B, F, H, J, L, M
  Milliseconds d() const { return linger.count() ? linger : std::max(Milliseconds(32000), give_up()); }
  Milliseconds i() const { return linger.count() ? linger : t4; }
  Milliseconds j() const { return linger.count() ? linger : give_up(); }
  Milliseconds k() const { return linger.count() ? linger : t4; }
  Milliseconds doubled(Milliseconds interval) const { return std::min(2 * interval, t2); }        ///< E, G and the 2xx
};

/// The letters of the RFCs, and three that have none.
enum class Timer : std::uint8_t {
  a, b, c, d, e, f, g, h, i, j, k,
  l, m,         ///< RFC 6026
  trying,       ///< the 100 that answers an INVITE within 200 ms
  success,      ///< repeats a 2xx to INVITE until its ACK (§13.3.1.4)
  cancel_wait,  ///< a cancelled INVITE's final response (§9.1)
};
constexpr std::size_t kTimers = 16;

enum class Do : std::uint8_t {
  send,         ///< client: the request; server: the last response
  send_ack,     ///< for the final response at hand (§17.1.1.3)
  send_cancel,
  send_trying,
  deliver,      ///< give the message at hand to the user
  start, stop,  ///< a timer; starting one that runs restarts it
  timed_out,    ///< tell the user
  lost,         ///< tell the user that the transport failed
  end,          ///< terminated; its timers end with it
};

struct Action {
  Do what;
  Timer timer = Timer::a;
  Milliseconds delay{0};
  friend bool operator==(const Action&, const Action&) = default;
};

/// A short list in place, in the order in which it is to be carried out.
class Actions {
 public:
  Actions() = default;
  Actions(std::initializer_list<Action> actions) {
    for (const Action& action : actions) push(action);
  }
  Actions& add(Do what) { return push({what}); }
  Actions& start(Timer timer, Milliseconds delay) { return push({Do::start, timer, delay}); }
  Actions& stop(Timer timer) { return push({Do::stop, timer}); }

  const Action* begin() const { return actions_.data(); }
  const Action* end() const { return actions_.data() + size_; }
  bool empty() const { return size_ == 0; }
  friend bool operator==(const Actions& a, const Actions& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

 private:
  Actions& push(const Action& action) {
    assert(size_ < actions_.size());
    actions_[size_++] = action;
    return *this;
  }
  std::array<Action, 8> actions_{};
  std::uint8_t size_ = 0;
};

}  // namespace jackfield::sip::stack
