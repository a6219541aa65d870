#include "stack/dns_message.h"

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>

using namespace jackfield::sip::stack;
using namespace std::chrono_literals;

namespace {

/// Writes what a name server would.
struct Packet {
  std::string bytes;

  explicit Packet(unsigned code = 0, unsigned answers = 0, unsigned authorities = 0) {
    word(7), word(0x8180 | code), word(1), word(answers), word(authorities), word(0);
    name("example.net"), word(1), word(1);
  }
  Packet& word(unsigned value) {
    bytes += static_cast<char>(value >> 8);
    bytes += static_cast<char>(value);
    return *this;
  }
  Packet& number(unsigned long value) { return word(static_cast<unsigned>(value >> 16)).word(value & 0xffff); }
  Packet& text(std::string_view value) {
    bytes += static_cast<char>(value.size());
    bytes += value;
    return *this;
  }
  Packet& name(std::string_view dotted) {
    while (!dotted.empty()) {
      const auto dot = dotted.find('.');
      text(dotted.substr(0, dot));
      dotted.remove_prefix(dot == std::string_view::npos ? dotted.size() : dot + 1);
    }
    bytes += '\0';
    return *this;
  }
  /// Its owner points to the question, as servers write it.
  Packet& record(unsigned type, unsigned long ttl, const Packet& data) {
    word(0xc00c).word(type).word(1).number(ttl).word(static_cast<unsigned>(data.bytes.size()));
    bytes += data.bytes;
    return *this;
  }
  static Packet data() {
    Packet out;
    out.bytes.clear();
    return out;
  }
  DnsAnswer read(DnsType type) const { return read_dns_message({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()}, type); }
};

Packet soa(unsigned long minimum) {
  return Packet::data().name("ns.example.net").name("admin.example.net").number(1).number(2).number(3).number(4).number(minimum);
}

using Status = DnsAnswer::Status;

}  // namespace

TEST_CASE("P-3: SRV and NAPTR records are read with the time they hold") {
  const auto srv = Packet(0, 2).record(33, 300, Packet::data().word(10).word(20).word(5070).name("A.Example.net"))
                       .record(33, 200, Packet::data().word(1).word(2).word(0).name("")).read(DnsType::srv);
  REQUIRE(srv.status == Status::found);
  REQUIRE(srv.srv.size() == 2);
  CHECK(srv.srv[0].priority == 10);
  CHECK(srv.srv[0].weight == 20);
  CHECK(srv.srv[0].port == 5070);
  CHECK(srv.srv[0].target == "a.example.net");
  CHECK(srv.srv[1].target.empty());
  CHECK(srv.ttl == 200s);

  const auto naptr = Packet(0, 1).record(35, 60, Packet::data().word(10).word(50).text("s").text("SIP+D2U").text("").name("_sip._udp.example.net")).read(DnsType::naptr);
  REQUIRE(naptr.naptr.size() == 1);
  CHECK(naptr.naptr[0].service == "SIP+D2U");
  CHECK(naptr.naptr[0].replacement == "_sip._udp.example.net");
  CHECK(naptr.naptr[0].preference == 50);
}

TEST_CASE("P-3: addresses behind an alias hold no longer than the alias") {
  const auto answer = Packet(0, 2).record(5, 30, Packet::data().name("other.example")).record(1, 600, Packet::data().number(0xc0000207)).read(DnsType::a);
  REQUIRE(answer.addresses.size() == 1);
  CHECK(answer.addresses[0].host() == "192.0.2.7");
  CHECK(answer.ttl == 30s);
}

TEST_CASE("P-3: that there is no such record holds as long as the zone's SOA says (RFC 2308)") {
  for (const unsigned code : {0u, 3u}) {
    const auto answer = Packet(code, 0, 1).record(6, 900, soa(120)).read(DnsType::srv);
    CHECK(answer.status == Status::none);
    CHECK(answer.ttl == 120s);
    CHECK(Packet(code, 0, 1).record(6, 100, soa(120)).read(DnsType::srv).ttl == 100s);
  }
  const auto unvouched = Packet(3).read(DnsType::srv);
  CHECK(unvouched.status == Status::none);
  CHECK(unvouched.ttl == 5s);
}

TEST_CASE("P-3: a refusal is no absence") {
  for (const unsigned code : {1u, 2u, 4u, 5u}) CHECK(Packet(code).read(DnsType::a).status == Status::failed);
}

TEST_CASE("P-3: an answer that is cut off anywhere, or points in a circle, is a failure and reads nothing beyond its end") {
  const auto whole = Packet(0, 1).record(33, 300, Packet::data().word(10).word(20).word(5070).name("a.example.net"));
  for (std::size_t size = 0; size < whole.bytes.size(); ++size) {
    Packet part = whole;
    part.bytes.resize(size);
    part.bytes.shrink_to_fit();
    CHECK(part.read(DnsType::srv).status == Status::failed);
  }
  Packet circle(0, 1);
  circle.word(0xc000 | static_cast<unsigned>(circle.bytes.size())).word(33).word(1).number(1).word(0);
  CHECK(circle.read(DnsType::srv).status == Status::failed);
  // A record that is longer than it says.
  Packet lying(0, 1);
  lying.word(0xc00c).word(33).word(1).number(1).word(4).word(1).word(1).word(1).name("a");
  CHECK(lying.read(DnsType::srv).status == Status::failed);
}

TEST_CASE("P-3: of records without end so many are taken") {
  Packet many(0, 500);
  for (int i = 0; i < 500; ++i) many.record(1, 600, Packet::data().number(0xc0000200ul + static_cast<unsigned>(i)));
  CHECK(many.read(DnsType::a).addresses.size() == kMaxRecords);
}
