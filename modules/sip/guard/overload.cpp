#include "guard/overload.h"

#include <algorithm>

namespace jackfield::sip::guard {
namespace {

constexpr Duration kInterval{100};  // between two judgements
constexpr double kMuchLess = 0.7, kLess = 0.9, kMore = 0.02, kLeast = 0.02;

}  // namespace

void Overload::read(std::size_t socket, bool emptied, MonoTime now, Duration tolerance) {
  if (tolerance == Duration(0)) {
    share_ = 1;
    return;
  }
  if (sockets_.size() <= socket) sockets_.resize(socket + 1);
  Socket& held = sockets_[socket];
  // Before the mark is lifted: the turn that emptied it began behind.
  if (held.behind) worst_ = std::max(worst_, std::chrono::duration_cast<Duration>(now - held.since));
  else held.since = now;
  held.behind = !emptied;

  if (now - judged_ < kInterval) return;
  judged_ = now;
  if (worst_ < tolerance) share_ = std::min(1.0, share_ + kMore);
  else share_ = std::max(kLeast, share_ * (worst_ < 2 * tolerance ? kLess : kMuchLess));
  worst_ = Duration(0);
}

bool Overload::accept() {
  if (share_ >= 1) return true;
  credit_ += share_;
  if (credit_ < 1) return false;
  credit_ -= 1;
  return true;
}

}  // namespace jackfield::sip::guard
