// Whether the server is behind, and how much new work it then takes on. Behind means that for a while much of what arrived lay unread at each
// turn. From then on new work is refused while much lies unread and taken on while little does: what is accepted settles by itself
// at what the machine can do beside the refusing, and what waits stays short. No I/O.
#pragma once

#include <jackfield/clock.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace jackfield::sip::guard {

class Overload {
 public:
  /// After each turn of reading from that socket: whether little was left. `tolerance`: how long much may be left, turn after turn;
  /// 0: for ever.
  void read(std::size_t socket, bool little_left, MonoTime now, Duration tolerance);
  /// Whether one more piece of new work is taken on.
  bool accept();
  /// The share of new work that was taken on, over the last second of it.
  double share() const { return share_; }
  bool is_shedding() const { return shedding_; }

 private:
  struct Socket {
    bool behind = false;
    MonoTime since{};  // when much was first left
  };
  void judge(MonoTime now);

  std::vector<Socket> sockets_;
  std::size_t behind_ = 0;  // sockets
  bool shedding_ = false;
  MonoTime last_behind_{}, judged_{};
  std::uint64_t asked_ = 0, accepted_ = 0;  // since judged_
  double share_ = 1;
};

}  // namespace jackfield::sip::guard
