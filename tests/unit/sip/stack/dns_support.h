// Name servers out of a table.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "stack/resolver.h"

namespace jackfield::sip::stack {

/// What the zone has; what it has not does not exist for a minute. Answers come when the test says answer().
struct Zone {
  std::map<DnsQuestion, DnsAnswer> records;
  std::vector<std::string> questions;  ///< asked so far, as "SRV _sip._udp.example.net"
  std::vector<std::pair<DnsQuestion, Dns::Done>> waiting;
  std::chrono::seconds ttl{300};

  DnsAnswer& at(const std::string& name, DnsType type) {
    auto& answer = records[{name, type}];
    answer.status = DnsAnswer::Status::found;
    answer.ttl = ttl;
    return answer;
  }
  void address(const std::string& name, std::string_view numeric) {
    const auto parsed = net::Address::parse(numeric).value();
    at(name, parsed.is_v6() ? DnsType::aaaa : DnsType::a).addresses.push_back(parsed);
  }
  void srv(const std::string& name, std::uint16_t priority, std::uint16_t weight, std::uint16_t port, const std::string& target) {
    at(name, DnsType::srv).srv.push_back({priority, weight, port, target});
  }
  void naptr(const std::string& name, std::uint16_t order, std::uint16_t preference, const std::string& service, const std::string& replacement,
             const std::string& flags = "s") {
    at(name, DnsType::naptr).naptr.push_back({order, preference, flags, service, replacement});
  }
  void fail(const std::string& name, DnsType type) { records[{name, type}] = {.problem = "refused"}; }
  DnsAnswer look(const DnsQuestion& question) const {
    const auto found = records.find(question);
    return found == records.end() ? DnsAnswer{.status = DnsAnswer::Status::none, .ttl = std::chrono::seconds(60)} : found->second;
  }
  /// All that waits, and what is asked because of it.
  void answer() {
    while (!waiting.empty()) answer_one();
  }
  void answer_one() {
    const auto [question, done] = waiting.front();
    waiting.erase(waiting.begin());
    done(look(question));
  }
};

class ZoneDns final : public Dns {
 public:
  explicit ZoneDns(Zone& zone) : zone_(zone) {}
  void ask(const std::string& name, DnsType type, Done done) override {
    zone_.questions.push_back(fmt::format("{} {}", dns_type_name(type), name));
    zone_.waiting.emplace_back(DnsQuestion{name, type}, std::move(done));
  }

 private:
  Zone& zone_;
};

inline std::string text(const Hop& hop) {
  return fmt::format("{}{} {}", transport_parameter(hop.transport), hop.any_transport ? "*" : "", hop.address.text());
}
inline std::vector<std::string> texts(const Resolution& resolution) {
  std::vector<std::string> out;
  for (const auto& hop : resolution.hops) out.push_back(text(hop));
  return out;
}

}  // namespace jackfield::sip::stack
