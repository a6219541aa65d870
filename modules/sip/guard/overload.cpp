#include "guard/overload.h"

namespace jackfield::sip::guard {
namespace {

constexpr Duration kCalm{1000};  // without being behind, after which nothing is shed any more
constexpr Duration kInterval{1000};

}  // namespace

void Overload::read(std::size_t socket, bool little_left, MonoTime now, Duration tolerance) {
  if (sockets_.size() <= socket) sockets_.resize(socket + 1);
  Socket& held = sockets_[socket];
  if (held.behind == little_left) {
    held.behind = !little_left;
    held.since = now;
    behind_ += held.behind ? 1 : std::size_t(-1);
  }
  if (behind_ != 0) last_behind_ = now;
  if (tolerance == Duration(0)) shedding_ = false;
  else if (held.behind) shedding_ = shedding_ || now - held.since >= tolerance;
  else if (now - last_behind_ >= kCalm) shedding_ = false;
  judge(now);
}

void Overload::judge(MonoTime now) {
  if (!shedding_) share_ = 1;
  else if (now - judged_ < kInterval) return;
  else if (asked_ != 0) share_ = static_cast<double>(accepted_) / static_cast<double>(asked_);
  judged_ = now;
  asked_ = accepted_ = 0;
}

bool Overload::accept() {
  const bool accepted = !shedding_ || behind_ == 0;
  ++asked_;
  accepted_ += accepted;
  return accepted;
}

}  // namespace jackfield::sip::guard
