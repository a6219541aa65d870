#include "call/reliable_provisional.h"

#include <algorithm>
#include <utility>

namespace jackfield::sip::call {

bool ReliableProvisional::add(Response response) {
  queue_.push_back(std::move(response));
  if (queue_.size() > 1) return false;
  begin();
  return true;
}

void ReliableProvisional::begin() {
  interval_ = t1_;
  age_ = Duration(0);
}

ReliableProvisional::Due ReliableProvisional::timer() {
  age_ += interval_;
  if (age_ >= t1_ * kLife) return Due::give_up;
  interval_ = std::min(interval_ * 2, t1_ * kLife - age_);
  return Due::repeat;
}

std::optional<ReliableProvisional::Response> ReliableProvisional::acknowledge(std::string_view tag, const RAck& rack, std::uint32_t invite_cseq) {
  if (queue_.empty() || rack.method != Method::invite || rack.cseq != invite_cseq) return std::nullopt;
  const auto& waiting = queue_.front();
  if (waiting.tag != tag || waiting.rseq != rack.rseq) return std::nullopt;
  auto done = std::move(queue_.front());
  queue_.pop_front();
  begin();
  return done;
}

}  // namespace jackfield::sip::call
