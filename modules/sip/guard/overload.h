// Whether the server is behind, and how much new work it then takes on. Behind means that for a while much of what arrived lay unread at each
// turn. The share of new work that is accepted falls while that goes on and rises again in small steps, so that it settles at what
// the machine can do. No I/O.
#pragma once

#include <jackfield/clock.h>

#include <cstddef>
#include <vector>

namespace jackfield::sip::guard {

class Overload {
 public:
  /// After each turn of reading from that socket: whether nothing was left. `tolerance`: how long something may be left, turn after turn;
  /// 0: for ever.
  void read(std::size_t socket, bool emptied, MonoTime now, Duration tolerance);
  /// Whether one more piece of new work is taken on.
  bool accept();
  double share() const { return share_; }
  bool is_shedding() const { return share_ < 1; }

 private:
  struct Socket {
    bool behind = false;
    MonoTime since{};  // when it was first left with something
  };
  std::vector<Socket> sockets_;
  MonoTime judged_{};
  Duration worst_{0};  // of the sockets, since the last judgement
  double share_ = 1, credit_ = 0;
};

}  // namespace jackfield::sip::guard
