// Opening and closing of listeners on real sockets of the loopback interface.
#include <doctest/doctest.h>

#include "listeners.h"
#include "support/test_engine.h"
#include "unit/sip/stack/stack_support.h"

using namespace jackfield;
using namespace jackfield::sip;

namespace {

ListenerSettings udp_listener(std::string name, std::string_view bind) {
  return {.options = {.name = std::move(name), .kind = stack::TransportKind::udp, .bind = stack::address(bind)}};
}

struct Sockets {
  TestEngine engine;
  stack::RecordingUser user;
  stack::Transactions transactions{engine, {}};
  std::unique_ptr<stack::Transport> transport = stack::make_transport(engine, {}, transactions);
  std::vector<ListenerSettings> open;
  Sockets() { transactions.attach(*transport, user); }
  ~Sockets() { transactions.stop(); }

  bool use(const std::vector<ListenerSettings>& wanted) {
    auto change = ListenerChange::prepare(*transport, open, wanted, engine.log("sip"));
    if (change) change->commit(open);
    return change.has_value();
  }
  std::vector<std::pair<std::uint16_t, std::string>> names() const {
    std::vector<std::pair<std::uint16_t, std::string>> out;
    for (const auto& [index, options] : transport->listeners()) out.emplace_back(index, options.name);
    return out;
  }
};

}  // namespace

TEST_CASE("A reload opens and closes only the listeners that differ") {
  Sockets sockets;
  const auto a = udp_listener("a", "127.0.0.1:0"), b = udp_listener("b", "127.0.0.2:0"), c = udp_listener("c", "127.0.0.3:0");
  REQUIRE(sockets.use({a, b}));
  const auto before = sockets.names();
  REQUIRE(sockets.use({a, c}));
  const auto after = sockets.names();
  CHECK(after.size() == 2);
  CHECK(after[0] == before[0]);
  CHECK(std::any_of(after.begin(), after.end(), [](const auto& each) { return each.second == "c"; }));
}

TEST_CASE("When one cannot be opened nothing has changed, unless it is one this machine may lack") {
  Sockets sockets;
  const auto a = udp_listener("a", "127.0.0.1:0"), b = udp_listener("b", "127.0.0.2:0");
  auto impossible = udp_listener("x", "203.0.113.1:0");
  REQUIRE(sockets.use({a}));
  CHECK_FALSE(sockets.use({b, impossible}));
  REQUIRE(sockets.names().size() == 1);
  CHECK(sockets.names()[0].second == "a");
  impossible.optional = true;
  CHECK(sockets.use({b, impossible}));
  REQUIRE(sockets.names().size() == 1);
  CHECK(sockets.names()[0].second == "b");
  CHECK(sockets.engine.logged("event=not-listening"));
}

TEST_CASE("New rules for a socket that is open reach it") {
  Sockets sockets;
  auto a = udp_listener("a", "127.0.0.1:0");
  REQUIRE(sockets.use({a}));
  a.access.trusted = {*net::Cidr::parse("10.0.0.0/8")};
  REQUIRE(sockets.use({a}));
  const auto index = sockets.names().at(0).first;
  CHECK(sockets.open.at(index).access.is_trusted(*net::Address::parse("10.0.0.1")));
}
