// A name server's answer as it came from the network (RFC 1035 §4): the records that were asked for, with the time they hold, which
// for answers that say "none" the zone's SOA gives (RFC 2308). c-ares gives no TTL of SRV and NAPTR records. Pure; trusts no byte.
#pragma once

#include <span>

#include "stack/dns.h"

namespace jackfield::sip::stack {

/// Names come out in lower case, without the final dot. At most kMaxRecords records are taken; a broken message is `failed`.
DnsAnswer read_dns_message(std::span<const unsigned char> message, DnsType type);

inline constexpr std::size_t kMaxRecords = 32;

}  // namespace jackfield::sip::stack
