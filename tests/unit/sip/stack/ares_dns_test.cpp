// The name servers' side of the resolver, over real sockets: a server on loopback that answers as the test says.
#include "stack/ares_dns.h"

#include <boost/asio/ip/udp.hpp>
#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "support/test_engine.h"

using namespace jackfield;
using namespace jackfield::sip;
using namespace jackfield::sip::stack;
using namespace std::chrono_literals;

namespace {

using boost::asio::ip::udp;

std::string word(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value)}; }

/// A record whose owner is the question's.
std::string record(DnsType type, unsigned ttl, const std::string& data) {
  return word(0xc00c) + word(static_cast<unsigned>(type)) + word(1) + word(0) + word(ttl) + word(static_cast<unsigned>(data.size())) + data;
}

struct NameServer {
  TestEngine engine;
  udp::socket socket{engine.io(), udp::endpoint(boost::asio::ip::address_v4::loopback(), 0)};
  std::array<char, 1500> buffer;
  udp::endpoint from;
  int asked = 0;
  unsigned code = 0;
  std::vector<std::string> records;
  bool silent = false;
  std::unique_ptr<Dns> dns;
  std::vector<DnsAnswer> answers;

  NameServer() {
    listen();
    dns = make_ares_dns(engine, {.servers = {net::Address::parse("127.0.0.1", socket.local_endpoint().port()).value()}, .timeout = 5000ms});
  }
  ~NameServer() {
    dns.reset();
    socket.close();
    engine.run_until_idle();
  }
  void listen() {
    socket.async_receive_from(boost::asio::buffer(buffer), from, [this](const boost::system::error_code& error, std::size_t size) {
      if (error) return;
      ++asked;
      if (!silent) reply({buffer.data(), size});
      listen();
    });
  }
  void reply(const std::string& query) {
    const auto name_end = query.find('\0', 12);
    auto out = query.substr(0, 2) + word(0x8180 | code) + word(1) + word(static_cast<unsigned>(records.size())) + word(0) + word(0);
    out += query.substr(12, name_end + 5 - 12);
    for (const auto& each : records) out += each;
    socket.send_to(boost::asio::buffer(out), from);
  }
  void ask(const std::string& name, DnsType type) {
    dns->ask(name, type, [this](DnsAnswer answer) { answers.push_back(std::move(answer)); });
  }
  DnsAnswer answer(const std::string& name, DnsType type) {
    answers.clear();
    ask(name, type);
    CHECK(answers.empty());  // never within ask()
    REQUIRE(engine.run_until([this] { return !answers.empty(); }));
    return answers.front();
  }
};

using Status = DnsAnswer::Status;

}  // namespace

TEST_CASE_FIXTURE(NameServer, "P-3: A name server is asked over the engine's loop, one question after another and several at once") {
  records = {record(DnsType::a, 300, {'\xc0', '\0', '\2', '\7'})};
  const auto found = answer("a.example", DnsType::a);
  REQUIRE(found.addresses.size() == 1);
  CHECK(found.addresses[0].host() == "192.0.2.7");
  CHECK(found.ttl == 300s);
  answers.clear();
  for (int i = 0; i < 20; ++i) ask("n" + std::to_string(i) + ".example", DnsType::a);
  REQUIRE(engine.run_until([this] { return answers.size() == 20; }));
  CHECK(asked == 21);
}

TEST_CASE_FIXTURE(NameServer, "P-3: What does not exist is told from what is refused") {
  code = 3;
  CHECK(answer("a.example", DnsType::srv).status == Status::none);
  code = 0;
  CHECK(answer("b.example", DnsType::naptr).status == Status::none);
  code = 5;
  const auto refused = answer("c.example", DnsType::srv);
  CHECK(refused.status == Status::failed);
  CHECK_FALSE(refused.problem.empty());
}

TEST_CASE_FIXTURE(NameServer, "P-3: What is no name is nobody's, and what stands in the hosts file needs no name server") {
  CHECK(answer(std::string(300, 'x') + ".example", DnsType::a).status == Status::none);
  const auto local = answer("localhost", DnsType::a);
  if (asked == 0) CHECK(local.addresses.at(0).is_loopback());
}

TEST_CASE_FIXTURE(NameServer, "P-3: A question that is open at the end is nobody's, and leaves nothing behind") {
  silent = true;
  ask("a.example", DnsType::a);
  REQUIRE(engine.run_until([this] { return asked == 1; }));
  dns.reset();
  engine.run_until_idle();
  CHECK(answers.empty());
}

TEST_CASE("P-3: A name server that nobody is at is a failure soon") {
  TestEngine engine;
  udp::socket taken(engine.io(), udp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  const auto port = taken.local_endpoint().port();
  taken.close();
  auto dns = make_ares_dns(engine, {.servers = {net::Address::parse("127.0.0.1", port).value()}, .timeout = 5000ms});
  std::optional<DnsAnswer> got;
  dns->ask("a.example", DnsType::a, [&](DnsAnswer answer) { got = std::move(answer); });
  REQUIRE(engine.run_until([&] { return got.has_value(); }));
  CHECK(got->status == Status::failed);
  dns.reset();
}
