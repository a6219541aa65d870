#include "failures.h"

#include <algorithm>

namespace jackfield::door {
namespace {

constexpr std::size_t kMostHosts = 1000;
constexpr Duration kRemembered = std::chrono::minutes(10);
constexpr int kMostDoublings = 5;

}  // namespace

Duration Failures::add(const net::Address& from, MonoTime now, Duration first) {
  std::erase_if(hosts_, [&](const auto& host) { return now - host.second.last > kRemembered; });
  // With more attackers than that, which one is forgotten does not matter.
  if (hosts_.size() >= kMostHosts && !hosts_.contains(from.with_port(0))) hosts_.erase(hosts_.begin());
  Host& host = hosts_[from.with_port(0)];
  host.last = now;
  return first * (1 << std::min(host.count++, kMostDoublings));
}

}  // namespace jackfield::door
