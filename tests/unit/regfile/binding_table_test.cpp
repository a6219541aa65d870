#include "bindings/binding_table.h"
#include "bindings/saved_file.h"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <map>
#include <random>
#include <set>

using namespace jackfield::bindings;

namespace {

PackedBinding pack(BindingPacker& packer, const std::string& user, const std::string& key, const std::string& connection) {
  packer.begin(user, key, "sip/" + user + "/" + key);
  packer.add("driver", "sip");
  if (!connection.empty()) packer.add("connection_id", connection);
  packer.add("x-own", std::string(200, 'x'));
  return packer.packed();
}

}  // namespace

TEST_CASE("packed bytes are what was packed; cut ones are none") {
  BindingPacker packer;
  const std::string bytes(pack(packer, "101", "k", "tcp:1").bytes());
  const auto packed = PackedBinding::parse(bytes);
  REQUIRE(packed);
  CHECK(packed->username() == "101");
  CHECK(packed->key() == "k");
  CHECK(packed->data() == "sip/101/k");
  CHECK(packed->parameter("connection_id") == "tcp:1");
  CHECK(packed->parameter("x-own") == std::string(200, 'x'));
  CHECK_FALSE(packed->parameter("absent"));

  const auto head = 1 + 3 + 1 + 1 + 1 + 9;  // user, key and data with their lengths: a binding without parameters is whole
  const std::set<int> whole{head, head + 1 + 1 + 3, head + 1 + 1 + 3 + 1 + 1 + 5};
  for (int size = 0; size < static_cast<int>(bytes.size()); ++size) {
    CAPTURE(size);
    CHECK(PackedBinding::parse(std::string_view(bytes).substr(0, size)).has_value() == whole.contains(size));
  }
}

TEST_CASE("a parameter that repeats the key costs one byte and reads like any other") {
  BindingPacker packer;
  packer.begin("101", "sip:101@phone", "sip/x");
  const auto before = packer.packed().bytes().size();
  packer.add("sip_contact", "sip:101@phone");
  CHECK(packer.packed().bytes().size() == before + 1);
  packer.add("x-own", "sip:101@phone");
  packer.add("q", "");
  const auto packed = PackedBinding::parse(packer.packed().bytes());
  REQUIRE(packed);
  CHECK(packed->parameter("sip_contact") == "sip:101@phone");
  CHECK(packed->parameter("x-own") == "sip:101@phone");
  CHECK(packed->parameter("q") == "");
}

TEST_CASE("whoever packed a binding knows its connection as those do who read the bytes") {
  BindingPacker packer;
  using Parameters = std::vector<std::pair<std::string, std::string>>;
  for (const auto& parameters : {
           Parameters{},
           Parameters{{"connection_id", "tcp-1"}, {"connection_reliable", "true"}},
           Parameters{{"connection_reliable", "no"}, {"connection_id", ""}},
           Parameters{{"connection_id", "key"}, {"ip_host", "192.0.2.7"}, {"connection_reliable", "yes"}},
           Parameters{{"connection_id", "one"}, {"connection_id", "two"}, {"connection_reliable", "true"}, {"connection_reliable", "maybe"}},
       }) {
    packer.begin("101", "key", "sip/x");
    for (const auto& [name, value] : parameters) packer.add(name, value);
    const auto packed = packer.packed();
    const auto read = PackedBinding::parse(packed.bytes());
    REQUIRE(read);
    CHECK(packed.connection().id == read->connection().id);
    CHECK(packed.connection().reliable == read->connection().reliable);
  }
}

TEST_CASE("the table agrees with a plain map through thousands of changes") {
  std::mt19937 random(42);
  BindingTable table;
  std::map<std::string, std::map<std::string, std::string>> model;  // user, key, connection
  BindingPacker packer;
  std::vector<Binding*> found;
  for (int step = 0; step < 20'000; ++step) {
    const auto user = fmt::format("user{}", random() % 700);
    const auto key = fmt::format("k{}", random() % 3);
    const auto connection = random() % 3 == 0 ? std::string() : fmt::format("tcp:{}", random() % 5);
    auto* old = table.find(user, key);
    CHECK((old != nullptr) == model[user].contains(key));
    if (random() % 3 != 0) {
      const auto packed = pack(packer, user, key, connection);
      auto& now = old ? table.replace(*old, packed, 1) : table.add(packed, 1);
      CHECK(table.find(now.id()) == &now);
      model[user][key] = connection;
    } else if (old) {
      table.remove(*old);
      model[user].erase(key);
    }
  }

  std::size_t size = 0;
  std::map<std::string, std::size_t> on_connection;
  for (const auto& [user, keys] : model) {
    found.clear();
    table.of_user(user, found);
    CHECK(found.size() == keys.size());
    CHECK(table.has_user(user) == !keys.empty());
    size += keys.size();
    for (const auto& [key, connection] : keys) ++on_connection[connection];
  }
  CHECK(table.size() == size);
  on_connection.erase("");
  for (const auto& [connection, count] : on_connection) {
    found.clear();
    table.on_connection(connection, found);
    CHECK(found.size() == count);
  }
}

TEST_CASE("the saved file gives back what was written, whatever the values hold") {
  BindingTable table;
  BindingPacker packer;
  packer.begin("101", "key=1", "sip/sip:a;b=c@[::1]:5060\\");
  packer.add("sip_contact", "sip:a\r\n[evil]\r\ndata=sip/x");
  packer.add("q", "");
  table.add(packer.packed(), 1'500);
  packer.begin("101", "2", "sip/b");
  table.add(packer.packed(), 0);
  packer.begin("no]header", "1", "sip/c");
  table.add(packer.packed(), 0);

  const auto text = write_saved(table, 77);
  const auto mark = saved_mark(text);
  REQUIRE(mark);
  CHECK(mark->position == 77);
  CHECK_FALSE(saved_mark(text + "x"));
  CHECK_FALSE(saved_mark(text.substr(1)));

  std::vector<std::string> read;
  CHECK(read_saved(text, [&](PackedBinding packed, std::int64_t expires_ms) {
          read.push_back(fmt::format("{} {} {} {} {}", packed.username(), packed.key(), packed.data(), packed.parameter("sip_contact").value_or("-"), expires_ms));
        }) == 0);
  CHECK(read == std::vector<std::string>{"101 key=1 sip/sip:a;b=c@[::1]:5060\\ sip:a  [evil]  data=sip/x 2000", "101 2 sip/b - 0"});
}

TEST_CASE("a saved file in Yate's dialect: comments, continuations, repeated blanks, foreign keys, sections without data") {
  std::vector<std::string> read;
  const auto refused = read_saved("\xef\xbb\xbf; comment\r\n[ 101 ] junk\r\n  data =  sip/a\\\r\nb  \r\nx=y=z\r\n;data=no\r\nlonely\r\n=empty\r\n[102]\r\nexpires=5\r\n",
                                  [&](PackedBinding packed, std::int64_t) {
                                    read.push_back(fmt::format("{} {} {}", packed.username(), packed.data(), packed.parameter("x").value_or("-")));
                                  });
  CHECK(refused == 1);
  CHECK(read == std::vector<std::string>{"101 sip/ab y=z"});
}
