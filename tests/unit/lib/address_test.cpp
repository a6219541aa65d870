#include "net/address.h"

#include <doctest/doctest.h>

#include <sys/socket.h>
#include <netinet/in.h>
#include <unordered_set>

using jackfield::net::Address;
using jackfield::net::AddressHash;
using jackfield::net::AddressText;
using jackfield::net::Cidr;

TEST_CASE("an address is read and shown the same") {
  struct Case {
    std::string_view text, host, uri_host;
    bool v6;
  };
  for (const Case& one : {Case{"192.0.2.1", "192.0.2.1", "192.0.2.1", false}, Case{"0.0.0.0", "0.0.0.0", "0.0.0.0", false},
                          Case{"255.255.255.255", "255.255.255.255", "255.255.255.255", false}, Case{"2001:db8::1", "2001:db8::1", "[2001:db8::1]", true},
                          Case{"[2001:DB8:0::0:1]", "2001:db8::1", "[2001:db8::1]", true}, Case{"::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1", false},
                          Case{"[::ffff:c000:201]", "192.0.2.1", "192.0.2.1", false}, Case{"::", "::", "[::]", true}}) {
    CAPTURE(std::string(one.text));
    const auto address = Address::parse(one.text, 5060);
    REQUIRE(address);
    CHECK(address->host() == one.host);
    CHECK(address->uri_host() == one.uri_host);
    CHECK(address->text() == std::string(one.uri_host) + ":5060");
    CHECK(address->is_v6() == one.v6);
    CHECK(address->port() == 5060);
    CHECK(Address::parse_with_port(address->text()) == address);
  }
}

TEST_CASE("what is no address is refused") {
  for (const std::string_view text : {"", "192.0.2", "192.0.2.1.", "192.0.2.256", "192.0.2.01", "1.2.3.4.5", "192.0.2.1 ", "example.com", "[192.0.2.1]x", "2001:db8::1::2",
                                      "[2001:db8::1", ":::", "1234567890123456789012345678901234567890123456789012345"}) {
    CAPTURE(std::string(text));
    CHECK_FALSE(Address::parse(text));
  }
  CHECK_FALSE(Address::parse(std::string_view("::1\0x", 5)));
}

TEST_CASE("host and port are told apart") {
  CHECK(Address::parse_with_port("192.0.2.1", 5060)->port() == 5060);
  CHECK(Address::parse_with_port("192.0.2.1:5070", 5060)->port() == 5070);
  CHECK(Address::parse_with_port("[::1]:5070")->text() == "[::1]:5070");
  CHECK(Address::parse_with_port("[::1]", 7)->text() == "[::1]:7");
  CHECK(Address::parse_with_port("2001:db8::1", 9)->text() == "[2001:db8::1]:9");
  for (const std::string_view text : {"192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1", "192.0.2.1:5060x", "[::1]5060", "[::1]:", "[::1", ""}) {
    CAPTURE(std::string(text));
    CHECK_FALSE(Address::parse_with_port(text));
  }
}

TEST_CASE("an address survives the way through a sockaddr; mapped ones come back as IPv4") {
  for (const std::string_view text : {"192.0.2.1:5060", "[2001:db8::1]:65535"}) {
    const auto address = Address::parse_with_port(text);
    ::sockaddr_storage storage;
    CHECK(address->to(storage) == (address->is_v6() ? sizeof(::sockaddr_in6) : sizeof(::sockaddr_in)));
    CHECK(Address::from(reinterpret_cast<const ::sockaddr&>(storage)) == *address);
  }
  ::sockaddr_in6 mapped{};
  mapped.sin6_family = AF_INET6;
  mapped.sin6_port = htons(5060);
  mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
  mapped.sin6_addr.s6_addr[12] = 127;
  mapped.sin6_addr.s6_addr[15] = 1;
  CHECK(Address::from(reinterpret_cast<const ::sockaddr&>(mapped)) == *Address::parse("127.0.0.1", 5060));
  ::sockaddr_storage storage;
  CHECK(Address().to(storage) == 0);
  CHECK(Address().text().empty());
}

TEST_CASE("a link-local address keeps the interface it belongs to, and never sends it") {
  const auto on_loopback = Address::parse("fe80::1%lo", 5060);  // the one interface every machine has, number 1
  REQUIRE(on_loopback);
  CHECK(on_loopback->scope() == 1);
  CHECK(Address::parse("[fe80::1%1]", 5060) == on_loopback);
  CHECK(on_loopback->text() == "[fe80::1%lo]:5060");
  CHECK(Address::parse_with_port(on_loopback->text()) == on_loopback);
  CHECK(on_loopback->host() == "fe80::1");
  CHECK(on_loopback->uri_host() == "[fe80::1]");

  sockaddr_storage name{};
  on_loopback->to(name);
  CHECK(reinterpret_cast<const sockaddr_in6&>(name).sin6_scope_id == 1);
  CHECK(Address::from(reinterpret_cast<const sockaddr&>(name)) == *on_loopback);

  const auto elsewhere = Address::parse("fe80::1%999999", 5060), nowhere = Address::parse("fe80::1", 5060);
  CHECK(elsewhere->text() == "[fe80::1%999999]:5060");
  CHECK_FALSE(elsewhere->same_host(*on_loopback));
  CHECK(nowhere->same_host(*on_loopback));  // as a far end writes it
  CHECK(on_loopback->without_scope() == *nowhere);
  for (const auto* text : {"fe80::1%", "fe80::1%nosuchinterface0", "fe80::1%0", "2001:db8::1%lo", "192.0.2.1%lo", "::1%lo"}) {
    CAPTURE(text);
    CHECK_FALSE(Address::parse(text));
  }
}

TEST_CASE("kinds of addresses") {
  CHECK(Address::parse("127.9.9.9")->is_loopback());
  CHECK(Address::parse("::1")->is_loopback());
  CHECK_FALSE(Address::parse("128.0.0.1")->is_loopback());
  CHECK(Address::parse("0.0.0.0")->is_unspecified());
  CHECK(Address::parse("::")->is_unspecified());
  CHECK_FALSE(Address().is_unspecified());
  for (const std::string_view text : {"10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "100.127.255.255", "169.254.1.1", "fd00::1", "fe80::1"}) {
    CAPTURE(std::string(text));
    CHECK(Address::parse(text)->is_private());
  }
  for (const std::string_view text : {"9.255.255.255", "172.15.0.1", "172.32.0.1", "192.169.0.1", "100.63.0.1", "100.128.0.1", "192.0.2.1", "2001:db8::1", "fec0::1"}) {
    CAPTURE(std::string(text));
    CHECK_FALSE(Address::parse(text)->is_private());
  }
}

TEST_CASE("addresses and ports of one net do not share hashes") {
  std::unordered_set<std::size_t> low_bits;
  for (unsigned i = 0; i < 4096; ++i) {
    const auto address = Address::parse("10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256), static_cast<std::uint16_t>(5060 + i % 7));
    low_bits.insert(AddressHash()(*address) & 0xffff);
  }
  CHECK(low_bits.size() > 3800);  // 4096 balls in 65536 boxes leave 3970 on average
}

TEST_CASE("a range contains what its prefix says") {
  struct Case {
    std::string_view range, address;
    bool inside;
  };
  for (const Case& one : {Case{"192.0.2.0/24", "192.0.2.255", true}, Case{"192.0.2.0/24", "192.0.3.0", false}, Case{"192.0.2.7", "192.0.2.7", true},
                          Case{"192.0.2.7", "192.0.2.6", false}, Case{"0.0.0.0/0", "203.0.113.9", true}, Case{"0.0.0.0/0", "2001:db8::1", false},
                          Case{"10.128.0.0/9", "10.127.0.1", false}, Case{"10.128.0.0/9", "10.255.0.1", true}, Case{"2001:db8::/33", "2001:db8:7fff::1", true},
                          Case{"2001:db8::/33", "2001:db8:8000::1", false}, Case{"::/0", "::1", true}, Case{"::/0", "192.0.2.1", false},
                          Case{"192.0.2.0/24", "::ffff:192.0.2.9", true}, Case{"::ffff:192.0.2.0/120", "192.0.2.9", true},
                          Case{"::ffff:192.0.2.0/120", "192.0.3.9", false}, Case{"192.0.2.77/24", "192.0.2.1", true}}) {
    CAPTURE(std::string(one.range) + " " + std::string(one.address));
    const auto range = Cidr::parse(one.range);
    REQUIRE(range);
    CHECK(range->contains(*Address::parse(one.address, 5060)) == one.inside);
  }
  CHECK(Cidr::parse("192.0.2.77/24")->text() == "192.0.2.0/24");
  CHECK(Cidr::parse("2001:db8::5/32")->text() == "2001:db8::/32");
  CHECK(Cidr::parse("192.0.2.7")->text() == "192.0.2.7/32");
  CHECK_FALSE(Cidr::parse("192.0.2.0/24")->contains(Address()));
  for (const std::string_view text : {"", "/8", "192.0.2.0/", "192.0.2.0/33", "2001:db8::/129", "192.0.2.0/-1", "192.0.2.0/8 ", "host/8", "::ffff:192.0.2.0/24"}) {
    CAPTURE(std::string(text));
    CHECK_FALSE(Cidr::parse(text));
  }
}

TEST_CASE("an address in text has its parts at hand") {
  const AddressText v4(*Address::parse("203.0.113.9", 5060)), v6(*Address::parse("2001:db8::1", 65535)), none{Address()};
  CHECK(v4.text() == "203.0.113.9:5060");
  CHECK(v4.host() == "203.0.113.9");
  CHECK(v4.uri_host() == "203.0.113.9");
  CHECK(v4.port() == "5060");
  CHECK(v6.text() == "[2001:db8::1]:65535");
  CHECK(v6.host() == "2001:db8::1");
  CHECK(v6.uri_host() == "[2001:db8::1]");
  CHECK(v6.port() == "65535");
  CHECK(AddressText(*Address::parse("[1111:2222:3333:4444:5555:6666:7777:8888]", 65535)).text() == "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
  for (const auto part : {none.text(), none.host(), none.uri_host(), none.port()}) CHECK(part.empty());
}
