// Wrong passwords and secrets, counted by the address they came from: each makes the next answer slower. Bounded. Engine thread only.
#pragma once

#include <jackfield/clock.h>

#include <cstddef>
#include <unordered_map>

#include "net/address.h"

namespace jackfield::door {

class Failures {
 public:
  static constexpr int kMostOnOneConnection = 3;

  /// One more; answers how long it is to be held back: `first`, doubled by each of the last ten minutes, five times at most.
  Duration add(const net::Address& from, MonoTime now, Duration first);
  /// The right one was told.
  void forget(const net::Address& from) { hosts_.erase(from.with_port(0)); }
  std::size_t size() const { return hosts_.size(); }

 private:
  struct Host {
    int count = 0;
    MonoTime last;
  };
  std::unordered_map<net::Address, Host, net::AddressHash> hosts_;
};

}  // namespace jackfield::door
