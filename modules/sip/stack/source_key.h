// What is counted as one source: a host, or for IPv6 the /64 that one customer of a provider has.
#pragma once

#include <cstdint>
#include <cstring>

#include "net/address.h"

namespace jackfield::sip::stack {

using SourceKey = std::uint64_t;  ///< never 0

inline SourceKey source_key(const net::Address& address) {
  std::uint64_t high;
  std::memcpy(&high, address.bytes().data(), sizeof high);
  if (address.is_v6()) return high | 1;  // ::/64 has loopback addresses only
  // Reads as a prefix of ff00::/8, which is multicast and nobody's source.
  return (high << 32) | 0xffff;
}

}  // namespace jackfield::sip::stack
