#include "stack/local_addresses.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

namespace jackfield::sip::stack {
namespace {

// Connecting a UDP socket sends nothing: it makes the kernel choose the route and our address on it.
net::Address ask_kernel(const net::Address& remote) {
  const int fd = ::socket(remote.is_v6() ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return {};
  sockaddr_storage name;
  socklen_t size = remote.with_port(remote.port() != 0 ? remote.port() : 5060).to(name);
  net::Address local;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&name), size) == 0) {
    size = sizeof name;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) == 0)
      local = net::Address::from(reinterpret_cast<const sockaddr&>(name)).with_port(0);
  }
  ::close(fd);
  return local;
}

}  // namespace

net::Address LocalAddresses::towards(const net::Address& remote) {
  const net::Address host = remote.with_port(0);
  if (const auto known = routes_.find(host); known != routes_.end() && clock_.now() - known->second.asked < kTrusted)
    return known->second.local;
  net::Address local = ask_kernel(remote);
  if (local.empty() || local.is_unspecified()) {
    refresh();
    local = *net::Address::parse(remote.is_v6() ? "::1" : "127.0.0.1");
    for (const net::Address& own : own_)
      if (own.is_v6() == remote.is_v6() && (local.is_loopback() || own < local) && !own.is_loopback()) local = own;
  }
  if (routes_.size() >= kMaxRoutes) routes_.clear();
  routes_.insert_or_assign(host, Route{local, clock_.now()});
  return local;
}

bool LocalAddresses::has(const net::Address& address) {
  if (address.is_loopback()) return true;  // 127.0.0.0/8 is all ours
  if (!known_ || clock_.now() - refreshed_ >= kTrusted) refresh();
  return own_.contains(address.with_port(0).without_scope());
}

void LocalAddresses::refresh() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  own_.clear();
  for (const ifaddrs* at = list; at; at = at->ifa_next) {
    if (!at->ifa_addr || (at->ifa_addr->sa_family != AF_INET && at->ifa_addr->sa_family != AF_INET6)) continue;
    own_.insert(net::Address::from(*at->ifa_addr).with_port(0).without_scope());
  }
  refreshed_ = clock_.now();
  known_ = true;
}

}  // namespace jackfield::sip::stack
