// What the resolver asks of DNS, and what it is told. AresDns asks the name servers; tests answer from a table. Engine thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "net/address.h"

namespace jackfield::sip::stack {

/// By their numbers on the wire.
enum class DnsType : std::uint16_t { a = 1, aaaa = 28, srv = 33, naptr = 35 };
std::string_view dns_type_name(DnsType type);

/// RFC 2782. The target `.` (here empty): this service is decidedly not offered.
struct SrvRecord {
  std::uint16_t priority = 0, weight = 0, port = 0;
  std::string target;
};

/// RFC 3403, without the regular expression: SIP has no use for one.
struct NaptrRecord {
  std::uint16_t order = 0, preference = 0;
  std::string flags, service, replacement;
};

struct DnsAnswer {
  /// none: there is no such record, and the name servers vouch for it. failed: nobody knows.
  enum class Status : std::uint8_t { found, none, failed } status = Status::failed;
  std::chrono::seconds ttl{0};  ///< how long it holds; of `none` as the zone's SOA says (RFC 2308 §5)
  std::vector<net::Address> addresses = {};  ///< without ports
  std::vector<SrvRecord> srv = {};
  std::vector<NaptrRecord> naptr = {};
  std::string problem = {};  ///< of `failed`, for people
};

class Dns {
 public:
  virtual ~Dns() = default;
  using Done = std::function<void(DnsAnswer)>;
  /// `done` is called in a later turn, once; not after the Dns is destroyed.
  virtual void ask(const std::string& name, DnsType type, Done done) = 0;
};

}  // namespace jackfield::sip::stack
