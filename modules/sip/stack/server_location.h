// RFC 3263: from a SIP URI's host to the ordered list of places to try, and RFC 2782: the order of SRV records. Pure: it looks at what
// is known of DNS so far, and says which questions are still open; the resolver asks them and looks again.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stack/dns.h"
#include "stack/flow.h"

#include <jackfield/clock.h>

namespace jackfield::sip::stack {

/// Whom a request is to reach: the host, port and transport parameter of the URI it goes to next.
struct Destination {
  std::string host;        ///< a name or a numeric address, IPv6 with or without brackets
  std::uint16_t port = 0;  ///< 0: none is said
  std::optional<TransportKind> transport = std::nullopt;
  friend bool operator==(const Destination&, const Destination&) = default;
};

/// One place to try.
struct Hop {
  TransportKind transport = TransportKind::udp;
  net::Address address;
  bool any_transport = false;  ///< neither the URI nor DNS fixed it: another would do (D17)
  friend bool operator==(const Hop&, const Hop&) = default;
};

/// In the order in which to try them; never empty.
struct Resolution {
  std::vector<Hop> hops;
  std::chrono::seconds ttl{0};  ///< how long that holds at most; of a numeric host for ever
};

using DnsQuestion = std::pair<std::string, DnsType>;

/// What is known of DNS; null: not yet.
using KnownDns = std::function<const DnsAnswer*(const DnsQuestion&)>;

/// Whether a listener of ours can send there.
using Reaches = std::function<bool(TransportKind transport, bool ipv6)>;

struct Located {
  Resolution resolution;           ///< empty where there is no such place
  std::set<DnsQuestion> unknown;   ///< not empty: the answers to these are needed first
  std::string problem;             ///< of name servers that failed
};
Located locate(const Destination& destination, const KnownDns& known, const Reaches& reaches, Random& random);

/// By priority, and within one by weighted chance (RFC 2782).
void order_by_weight(std::vector<SrvRecord>& records, Random& random);

inline constexpr std::uint16_t kSipPort = 5060;

}  // namespace jackfield::sip::stack
