#include "stack/server_location.h"

#include <doctest/doctest.h>

#include <map>

#include "support/test_engine.h"
#include "unit/sip/stack/dns_support.h"

using namespace jackfield;
using namespace jackfield::sip;
using namespace jackfield::sip::stack;

namespace {

using Texts = std::vector<std::string>;

struct Fixture {
  TestEngine engine;
  Zone zone;
  bool tcp = true, ipv6 = false;
  std::vector<std::string> asked;

  /// With every answer at hand.
  Located locate(const Destination& destination) {
    std::map<DnsQuestion, DnsAnswer> answers;
    return stack::locate(
        destination,
        [&](const DnsQuestion& question) -> const DnsAnswer* {
          asked.push_back(fmt::format("{} {}", dns_type_name(question.second), question.first));
          return &(answers[question] = zone.look(question));
        },
        [this](TransportKind kind, bool six) { return (kind == TransportKind::udp || tcp) && (!six || ipv6); }, engine.random());
  }
  Texts hops(const Destination& destination) { return texts(locate(destination).resolution); }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "P-3: a numeric host is asked of nobody; without a transport it is UDP, and another would do") {
  CHECK(hops({"192.0.2.7"}) == Texts{"udp* 192.0.2.7:5060"});
  CHECK(hops({"192.0.2.7", 5080}) == Texts{"udp* 192.0.2.7:5080"});
  CHECK(hops({"192.0.2.7", 0, TransportKind::tcp}) == Texts{"tcp 192.0.2.7:5060"});
  CHECK(hops({"[2001:db8::1]"}) == Texts{"udp* [2001:db8::1]:5060"});
  CHECK(asked.empty());
}

TEST_CASE_FIXTURE(Fixture, "P-3: a name with a port is looked up as an address alone (RFC 3263 4.2)") {
  zone.address("pbx.example", "192.0.2.1");
  zone.srv("_sip._udp.pbx.example", 0, 0, 5099, "other.example");
  CHECK(hops({"pbx.example", 5070}) == Texts{"udp* 192.0.2.1:5070"});
  CHECK(asked == Texts{"A pbx.example"});
}

TEST_CASE_FIXTURE(Fixture, "P-3: NAPTR chooses the transport, and a service that we lack is passed over (RFC 3263 4.1)") {
  zone.naptr("example.net", 10, 5, "SIPS+D2T", "_sips._tcp.example.net");
  zone.naptr("example.net", 20, 10, "SIP+D2U", "_sip._udp.example.net");
  zone.naptr("example.net", 20, 5, "sip+d2t", "_sip._tcp.example.net", "S");
  zone.naptr("example.net", 30, 0, "SIP+D2U", "_later._udp.example.net");
  zone.srv("_sip._tcp.example.net", 0, 1, 5061, "t.example.net");
  zone.srv("_sip._udp.example.net", 0, 1, 5062, "u.example.net");
  zone.srv("_later._udp.example.net", 0, 1, 5063, "u.example.net");
  zone.address("t.example.net", "192.0.2.1");
  zone.address("u.example.net", "192.0.2.2");
  CHECK(hops({"Example.NET."}) == Texts{"tcp 192.0.2.1:5061", "udp 192.0.2.2:5062"});
  tcp = false;
  CHECK(hops({"example.net"}) == Texts{"udp 192.0.2.2:5062"});
}

TEST_CASE_FIXTURE(Fixture, "P-3: without NAPTR each transport of ours is asked for, UDP first; with one in the URI that one alone") {
  zone.srv("_sip._tcp.example.net", 0, 1, 5061, "t.example.net");
  zone.srv("_sip._udp.example.net", 0, 1, 5062, "u.example.net");
  zone.address("t.example.net", "192.0.2.1");
  zone.address("u.example.net", "192.0.2.2");
  CHECK(hops({"example.net"}) == Texts{"udp 192.0.2.2:5062", "tcp 192.0.2.1:5061"});
  asked.clear();
  CHECK(hops({"example.net", 0, TransportKind::tcp}) == Texts{"tcp 192.0.2.1:5061"});
  CHECK(asked == Texts{"SRV _sip._tcp.example.net", "A t.example.net"});
}

TEST_CASE_FIXTURE(Fixture, "P-3: without SRV the name itself is the server") {
  zone.address("example.net", "192.0.2.3");
  zone.address("example.net", "192.0.2.4");
  zone.address("example.net", "2001:db8::4");
  CHECK(hops({"example.net"}) == Texts{"udp* 192.0.2.3:5060", "udp* 192.0.2.4:5060"});
  ipv6 = true;
  CHECK(hops({"example.net"}) == Texts{"udp* 192.0.2.3:5060", "udp* 192.0.2.4:5060", "udp* [2001:db8::4]:5060"});
}

TEST_CASE_FIXTURE(Fixture, "P-3: a service that is decidedly not offered is not looked for under the bare name (RFC 2782)") {
  zone.srv("_sip._udp.example.net", 0, 0, 0, "");
  zone.address("example.net", "192.0.2.3");
  const auto located = locate({"example.net"});
  CHECK(located.resolution.hops.empty());
  CHECK(located.unknown.empty());
}

TEST_CASE_FIXTURE(Fixture, "P-3: name servers that refuse NAPTR and SRV do not hide an address; when all fail it is said") {
  zone.fail("example.net", DnsType::naptr);
  zone.fail("_sip._udp.example.net", DnsType::srv);
  zone.address("example.net", "192.0.2.3");
  CHECK(hops({"example.net"}) == Texts{"udp* 192.0.2.3:5060"});
  zone.fail("example.net", DnsType::a);
  CHECK(locate({"example.net"}).problem == "refused");
}

TEST_CASE_FIXTURE(Fixture, "P-3: it holds as long as the record that lapses first") {
  zone.ttl = std::chrono::seconds(600);
  zone.srv("_sip._udp.example.net", 0, 0, 5060, "u.example.net");
  zone.naptr("example.net", 1, 1, "SIP+D2U", "_sip._udp.example.net");
  zone.ttl = std::chrono::seconds(20);
  zone.address("u.example.net", "192.0.2.3");
  CHECK(locate({"example.net"}).resolution.ttl == std::chrono::seconds(20));
}

TEST_CASE("P-3: SRV records come by priority, and within one as often first as their weight says (RFC 2782)") {
  TestEngine engine;
  std::map<std::string, int> first;
  constexpr int kRounds = 10000;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<SrvRecord> records{{20, 0, 1, "backup"}, {10, 60, 1, "big"}, {10, 0, 1, "rare"}, {10, 30, 1, "middle"}, {10, 10, 1, "small"}};
    order_by_weight(records, engine.random());
    REQUIRE(records.size() == 5);
    REQUIRE(records.back().target == "backup");
    ++first[records.front().target];
  }
  CHECK(first["big"] > kRounds * 55 / 100);
  CHECK(first["big"] < kRounds * 65 / 100);
  CHECK(first["middle"] > kRounds * 26 / 100);
  CHECK(first["middle"] < kRounds * 34 / 100);
  CHECK(first["small"] > kRounds * 7 / 100);
  CHECK(first["rare"] > 0);
  CHECK(first["rare"] < kRounds * 4 / 100);
}
