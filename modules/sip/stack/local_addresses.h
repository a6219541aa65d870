// Which of this machine's addresses a far end sees (D12), and which addresses are this machine's at all. Both are asked of the
// kernel and remembered for a while, because interfaces come and go. Owned by the transport; engine thread.
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "net/address.h"

#include <jackfield/clock.h>

namespace jackfield::sip::stack {

class LocalAddresses {
 public:
  explicit LocalAddresses(const Clock& clock) : clock_(clock) {}

  /// The address (port 0) of the interface that the route to `remote` leaves by. Without a route: any interface's address of
  /// that family, at last the loopback address; never the unspecified one.
  net::Address towards(const net::Address& remote);
  /// True for an address of one of our interfaces; its port does not matter.
  bool has(const net::Address& address);

 private:
  static constexpr std::size_t kMaxRoutes = 4096;
  static constexpr std::chrono::seconds kTrusted{10};  // how long an answer of the kernel is believed

  void refresh();
  struct Route {
    net::Address local;
    MonoTime asked;
  };

  const Clock& clock_;
  std::unordered_map<net::Address, Route, net::AddressHash> routes_;
  std::unordered_set<net::Address, net::AddressHash> own_;
  MonoTime refreshed_{};
  bool known_ = false;
};

}  // namespace jackfield::sip::stack
