// The table of bindings against a model, and its cost in memory.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>
#include <random>

#include "registrar/table.h"

using namespace jackfield;
using namespace jackfield::sip;
using namespace jackfield::sip::registrar;

namespace {

Binding::Ptr make(std::string_view user, std::string_view contact, MonoTime expires = MonoTime::max(), std::uint32_t connection = 0) {
  BindingFacts facts{.expires = expires};
  if (connection) facts.flow = {*net::Address::parse("192.0.2.1", 5060), connection, 0, stack::TransportKind::tcp};
  return Binding::make({.username = user, .key = contact, .contact = contact, .data = contact, .call_id = "c"}, facts);
}

}  // namespace

TEST_CASE("A binding keeps its words in one piece, equal ones once") {
  const auto binding = Binding::make({.username = "200", .key = "k", .contact = "sip:a@b", .data = "sip:a@b", .call_id = "id", .instance = "", .path = "<sip:p>"}, {});
  CHECK(binding->username() == "200");
  CHECK(binding->key() == "k");
  CHECK(binding->contact() == "sip:a@b");
  CHECK(binding->data().data() == binding->contact().data());
  CHECK(binding->instance().empty());
  CHECK(binding->path() == "<sip:p>");
}

TEST_CASE("A stale id finds nothing, also when its place is used again") {
  Table table;
  const auto id = table.put(make("200", "sip:a@b")).id;
  CHECK(table.find(id));
  CHECK(table.take(id));
  CHECK_FALSE(table.find(id));
  table.put(make("201", "sip:c@d"));
  CHECK_FALSE(table.find(id));
  CHECK_FALSE(table.take(id));
}

TEST_CASE("An expiry far beyond the ring is met in its own round") {
  Table table;
  const MonoTime start{std::chrono::seconds(5000)};
  table.due(start);
  table.put(make("200", "sip:a@b", start + std::chrono::seconds(9000)));
  for (auto now = start; now < start + std::chrono::seconds(9000); now += std::chrono::seconds(1)) REQUIRE(table.due(now).empty());
  CHECK(table.due(start + std::chrono::seconds(9000)).size() == 1);
  CHECK(table.due(start + std::chrono::seconds(9001)).size() == 1);  // until it is taken
}

TEST_CASE("Any order of putting, replacing and taking leaves what a plain map would have") {
  const std::uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  Table table;
  std::map<std::pair<std::string, std::string>, std::uint32_t> model;  // to its connection
  for (int step = 0; step < 20000; ++step) {
    const auto user = fmt::format("u{}", random() % 40), contact = fmt::format("sip:{}@{}", random() % 4, user);
    if (random() % 3) {
      const auto connection = static_cast<std::uint32_t>(random() % 6);
      const bool replaced = table.put(make(user, contact, MonoTime{std::chrono::seconds(100 + random() % 9000)}, connection)).replaced != nullptr;
      REQUIRE(replaced == model.contains({user, contact}));
      model[{user, contact}] = connection;
    } else {
      REQUIRE((table.take(table.find(user, contact)) != nullptr) == (model.erase({user, contact}) > 0));
    }
    REQUIRE(table.size() == model.size());
    REQUIRE((table.find_data(contact) != nullptr) == model.contains({user, contact}));
  }
  std::size_t users = 0;
  for (int u = 0; u < 40; ++u) {
    const auto user = fmt::format("u{}", u);
    std::size_t count = 0;
    for (const auto& [key, connection] : model) count += key.first == user;
    CHECK(table.count_of(user) == count);
    users += count > 0;
  }
  CHECK(table.users() == users);
  for (std::uint32_t connection = 1; connection < 6; ++connection) {
    std::size_t count = 0;
    for (const auto& [key, held] : model) count += held == connection;
    CHECK(table.on_connection(connection).size() == count);
  }
  CHECK(table.due(MonoTime{std::chrono::seconds(20000)}).size() == model.size());
}

TEST_CASE("A binding of an everyday phone takes less than half of what one may cost with its store's copy") {
  const BindingText text{.username = "200123", .key = "sip:200123@192.168.100.200:5060", .contact = "sip:200123@192.168.100.200:5060",
                         .data = "sip:200123@203.0.113.250:40000", .call_id = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6@192.168.100.200"};
  // The allocation, its slot, two index entries at their emptiest, and the allocator's own word.
  CHECK(sizeof(Binding) + text.size() - text.key.size() + 16 + 2 * 4 * 8 / 3 + 16 <= 300);
}

TEST_CASE("The sweep works on a machine that was started a minute ago") {
  Table table;
  table.put(make("200", "sip:a@b", MonoTime{std::chrono::seconds(70)}));
  CHECK(table.due(MonoTime{std::chrono::seconds(60)}).empty());
  CHECK(table.due(MonoTime{std::chrono::seconds(70)}).size() == 1);
}

TEST_CASE("An edge with very many bindings on one connection costs no more a binding than a phone, also when it goes") {
  Table table;
  constexpr int kBindings = 100000;
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < kBindings; ++i) table.put(make(fmt::format("u{}", i), fmt::format("sip:{}@edge", i), MonoTime::max(), 7));
  const auto ids = table.on_connection(7);
  REQUIRE(ids.size() == kBindings);
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) REQUIRE(table.take(*id));
  CHECK(table.size() == 0);
  CHECK(table.on_connection(7).empty());
}
