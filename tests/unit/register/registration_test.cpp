// user.register, user.unregister, user.bindings and the sweep: COMPAT §5, DECISIONS D8.
#include "unit/register/fixture.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::register_test;

namespace {

constexpr std::string_view kRegister =
    "[default]\naccount=db\n"
    "[user.register]\nquery=REGISTER ${username} AT ${data} UNTIL ${expires_at} ON ${nodename}\n"
    "[user.unregister]\nquery=UNREGISTER ${username} ${binding} ${connection_id}\n"
    "[user.bindings]\nquery=BINDINGS ${username}\nquery_all=ALL ${nodename}\n"
    "[engine.timer]\nquery=SWEEP ${now}\n";

std::string configuration(std::string_view general, std::string_view more = {}) { return fmt::format("[general]\n{}{}{}", general, kRegister, more); }

struct Store : Site {
  explicit Store(std::string_view general = "user.register=yes\nuser.unregister=yes\nuser.bindings=yes\n") : Site(configuration(general)) {}
  Message phone(std::string_view user = "101", int expires = 600) const {
    auto made = message("user.register", {{"username", user}, {"driver", "sip"}, {"data", "sip/sip:101@10.0.0.1"}, {"binding", "b-1"}});
    made.set("expires", static_cast<long long>(expires));
    return made;
  }
  void says(Reply reply) {
    database().says = [reply](const Asked&) { return reply; };
  }
};

}  // namespace

TEST_CASE("YT-13 user.register: a row written or given is success, none is a user who is not here") {
  Store store;
  for (const auto& [reply, kept] : {std::pair(Reply::wrote(1), true), std::pair(Reply{.columns = {"x"}, .rows = {{"1"}}}, true), std::pair(Reply::wrote(0), false),
                                    std::pair(Reply{.columns = {"x"}, .rows = {}}, false)}) {
    store.says(reply);
    auto phone = store.phone();
    CHECK(store.ask(phone) == kept);
  }
  CHECK(store.database().texts().front() == "REGISTER 101 AT sip/sip:101@10.0.0.1 UNTIL 1700000600 ON test");
}

TEST_CASE("D10 a registration is answered only once the database has answered") {
  Store store;
  store.database().holds = true;
  std::optional<bool> verdict;
  store.engine().bus().enqueue(store.phone(), [&](Message&, bool handled) { verdict = handled; });
  store.engine().run_until_idle();
  CHECK_FALSE(verdict);
  store.database().release();
  CHECK(verdict == true);
}

TEST_CASE("D8 how many contacts the query keeps: nothing said is one, the key or a column says more") {
  Store store;
  auto silent = store.phone();
  CHECK(store.ask(silent));
  CHECK_FALSE(silent.has("max_contacts"));

  store.reload(fmt::format("[general]\nuser.register=yes\n[default]\naccount=db\n[user.register]\nmax_contacts=0\nquery=Q\n"));
  auto any = store.phone();
  CHECK(store.ask(any));
  CHECK(any.get("max_contacts") == "0");
  store.says({.columns = {"max_contacts", "osip_X-Told", "password"}, .rows = {{"3", "yes", "secret"}}});
  auto three = store.phone();
  CHECK(store.ask(three));
  CHECK(three.get("max_contacts") == "3");
  CHECK(three.get("osip_X-Told") == "yes");
  CHECK_FALSE(three.has("password"));
}

TEST_CASE("a registration that cannot be written is refused as a failure, or passed on") {
  Store store;
  store.says(Reply::failed("away"));
  auto refused = store.phone();
  CHECK_FALSE(store.ask(refused));
  CHECK(refused.get("error") == "failure");

  store.reload("[general]\nuser.register=yes\n[default]\naccount=db\n[user.register]\non_fail=pass\nquery=Q\n");
  auto passed = store.phone();
  CHECK_FALSE(store.ask(passed));
  CHECK_FALSE(passed.has("error"));
}

TEST_CASE("N-8 on_fail=cached: a contact that the database has is confirmed while it is away, for the time it has left there") {
  Store store;
  store.reload("[general]\nuser.register=yes\n[default]\naccount=db\n[user.register]\non_fail=cached\nmax_contacts=0\nquery=Q ${username} ${expires_at}\n");
  auto first = store.phone("101", 600);
  CHECK(store.ask(first));
  store.says(Reply::failed("late"));
  store.engine().advance(100s);

  auto refreshed = store.phone("101", 600);
  CHECK(store.ask(refreshed));
  CHECK(refreshed.get("expires") == "500");
  CHECK(refreshed.get("max_contacts") == "0");
  auto shorter = store.phone("101", 60);
  CHECK(store.ask(shorter));
  CHECK(shorter.get("expires") == "60");

  auto unknown = store.phone("102");
  CHECK_FALSE(store.ask(unknown));
  CHECK(unknown.get("error") == "failure");
  auto moved = store.phone("101");
  moved.set("data", "sip/sip:101@10.0.0.9");
  CHECK_FALSE(store.ask(moved));

  SUBCASE("no longer than the database has it") {
    store.engine().advance(500s);
    auto late = store.phone("101", 600);
    CHECK_FALSE(store.ask(late));
  }
  SUBCASE("who was removed meanwhile is refused once the database is back") {
    store.says(Reply::wrote(0));
    store.engine().advance(2s);
    auto gone = store.phone("101", 600);
    CHECK_FALSE(store.ask(gone));
    CHECK_FALSE(gone.has("error"));
  }
}

TEST_CASE("user.unregister waits for the database and lets others run, too") {
  Store store;
  auto gone = store.message("user.unregister", {{"username", "101"}, {"binding", "b-1"}});
  CHECK_FALSE(store.ask(gone));
  auto lost = store.message("user.unregister", {{"connection_id", "tcp-7"}});
  CHECK_FALSE(store.ask(lost));
  auto bypassed = store.message("user.unregister", {{"username", "101"}, {"register_register", "false"}});
  CHECK_FALSE(store.ask(bypassed));
  CHECK(store.database().texts() == std::vector<std::string>{"UNREGISTER 101 b-1 ", "UNREGISTER   tcp-7"});
}

TEST_CASE("N-8 a phone that leaves while the database is away is not told that it is gone, unless the policy says so") {
  for (const auto& [policy, failure] : {std::pair("", "away"), std::pair("", "late"), std::pair("", "query"), std::pair("on_fail=pass\n", "away")}) {
    CAPTURE(policy);
    CAPTURE(failure);
    Store store;
    store.reload(configuration("user.register=yes\nuser.unregister=yes\n", fmt::format("[user.unregister]\n{}", policy)));
    store.says(Reply::failed(failure));
    auto gone = store.message("user.unregister", {{"username", "101"}, {"binding", "b-1"}});
    CHECK_FALSE(store.ask(gone));
    CHECK(gone.get("code") == (*policy == '\0' ? "500" : ""));
    CHECK(gone.get("error") == (*policy == '\0' ? "failure" : ""));
  }
}

TEST_CASE("N-8 what the database has no more is not confirmed from memory") {
  Store store;
  store.reload(configuration("user.register=yes\nuser.unregister=yes\n", "[user.register]\non_fail=cached\nmax_contacts=0\n"));
  const auto at = [&](std::string_view binding, std::string_view user = "101") {
    auto phone = store.phone(user);
    phone.set("binding", binding).set("data", fmt::format("sip/sip:{}@10.0.0.1", binding));
    return phone;
  };
  const auto registers = [&](std::string_view binding, std::string_view user = "101") {
    auto phone = at(binding, user);
    return store.ask(phone);
  };
  for (const auto* binding : {"b-1", "b-2"}) CHECK(registers(binding));
  CHECK(registers("b-1", "1010"));
  SUBCASE("one that left") {
    auto gone = store.message("user.unregister", {{"username", "101"}, {"binding", "b-1"}, {"data", "sip/sip:b-1@10.0.0.1"}});
    CHECK_FALSE(store.ask(gone));
    store.says(Reply::failed("away"));
    CHECK_FALSE(registers("b-1"));
    CHECK(registers("b-2"));
  }
  SUBCASE("all of a user's") {
    auto gone = store.message("user.unregister", {{"username", "101"}});
    CHECK_FALSE(store.ask(gone));
    store.says(Reply::failed("away"));
    CHECK_FALSE(registers("b-1"));
    CHECK_FALSE(registers("b-2"));
    CHECK(registers("b-1", "1010"));
  }
  SUBCASE("one that may be gone: the answer did not come") {
    store.says(Reply::failed("late"));
    auto gone = store.message("user.unregister", {{"username", "101"}, {"binding", "b-1"}, {"data", "sip/sip:b-1@10.0.0.1"}});
    CHECK_FALSE(store.ask(gone));
    CHECK_FALSE(registers("b-1"));
  }
  SUBCASE("D8 the older one, where it keeps one") {
    store.reload(configuration("user.register=yes\nuser.unregister=yes\n", "[user.register]\non_fail=cached\n"));
    CHECK(registers("b-1"));
    CHECK(registers("b-2"));
    store.says(Reply::failed("away"));
    CHECK_FALSE(registers("b-1"));
    CHECK(registers("b-2"));
    CHECK(registers("b-1", "1010"));
  }
}

TEST_CASE("user.bindings gives back what was registered, of one user and of all") {
  Store store;
  store.says({.columns = {"username", "data", "expires", "binding", "q", "nodename"},
              .rows = {{"101", "sip/sip:101@10.0.0.1", "1700000600", "b-1", "", "test"}, {"101", "sip/sip:101@10.0.0.2", "0", "b-2", "0.500", "other"},
                       {Cell{}, "sip/sip:nobody@10.0.0.3", "0", "b-3", "", ""}}});
  auto asked = store.message("user.bindings", {{"username", "101"}});
  CHECK(store.ask(asked));
  CHECK_FALSE(asked.has("shared"));
  const auto* stored = asked.payload<messages::StoredBindings>();
  REQUIRE(stored);
  REQUIRE(stored->bindings.size() == 2);
  const auto& one = stored->bindings[0];
  CHECK(one.username == "101");
  CHECK(one.data == "sip/sip:101@10.0.0.1");
  CHECK(one.expires == WallTime(std::chrono::seconds(1700000600)));
  CHECK(one.parameters == std::vector<std::pair<std::string, std::string>>{{"binding", "b-1"}, {"nodename", "test"}});
  CHECK(stored->bindings[1].expires == WallTime{});

  auto all = store.message("user.bindings", {{"realm", "Yate"}});
  CHECK(store.ask(all));
  CHECK(store.database().texts() == std::vector<std::string>{"BINDINGS 101", "ALL test"});
}

TEST_CASE("user.bindings adds to what another store has said") {
  Store store;
  const auto file = store.engine().bus().install({.message = "user.bindings", .priority = 10}, [](Message& message) {
    auto stored = std::make_shared<messages::StoredBindings>();
    stored->bindings.push_back({.username = "900", .data = "sip/sip:900@10.0.0.9"});
    message.attach(std::move(stored));
    return true;
  });
  store.says({.columns = {"username", "data", "expires"}, .rows = {{"101", "sip/sip:101@10.0.0.1", "0"}}});
  auto all = store.message("user.bindings");
  all.set_broadcast(true);
  CHECK(store.ask(all));
  CHECK(all.payload<messages::StoredBindings>()->bindings.size() == 2);
}

TEST_CASE("at the start all bindings are waited for while the database is still coming up, but not for ever") {
  Store store;
  store.says(Reply::failed("away"));
  std::optional<bool> verdict;
  const auto start = [&] {
    verdict.reset();
    auto all = store.message("user.bindings");
    store.engine().bus().enqueue(std::move(all), [&](Message&, bool handled) { verdict = handled; });
    store.engine().advance(1s);
  };
  start();
  CHECK_FALSE(verdict);
  store.says({.columns = {"username", "data", "expires"}, .rows = {}});
  store.engine().advance(1s);
  CHECK(verdict == true);
  store.says(Reply::failed("away"));
  start();
  store.engine().advance(10s);
  CHECK(verdict == false);
}

TEST_CASE("D8 a shared store says with each answer what it keeps of the user") {
  Store store("user.register=yes\nuser.unregister=yes\nuser.bindings=yes\n");
  store.reload(configuration("user.register=yes\nuser.unregister=yes\nuser.bindings=yes\n", "[user.register]\nshared=yes\n"));
  store.database().says = [](const Asked& asked) {
    return asked.query.starts_with("BINDINGS") ? Reply{.columns = {"username", "data", "expires", "nodename"}, .rows = {{"101", "sip/sip:101@10.0.0.7", "0", "far"}}}
                                               : Reply::wrote();
  };
  auto phone = store.phone();
  CHECK(store.ask(phone));
  CHECK(phone.flag("shared"));
  REQUIRE(phone.payload<messages::StoredBindings>());
  CHECK(phone.payload<messages::StoredBindings>()->bindings.size() == 1);
  auto gone = store.message("user.unregister", {{"username", "101"}, {"binding", "b-1"}});
  CHECK_FALSE(store.ask(gone));
  CHECK(gone.flag("shared"));
  CHECK(gone.payload<messages::StoredBindings>());
  auto asked = store.message("user.bindings", {{"username", "101"}});
  CHECK(store.ask(asked));
  CHECK(asked.flag("shared"));

  const auto problems = problems_of(configuration("user.register=yes\n", "[user.register]\nshared=yes\n"));
  REQUIRE(problems.size() == 1);
  CHECK(problems.front().severity == Problem::Severity::error);
}

TEST_CASE("YT-13 engine.timer: the sweep runs every `expires` seconds, and never twice at once") {
  Store store("engine.timer=yes\nexpires=10\n");
  const auto seconds = [&](int count) {
    for (int i = 0; i < count; ++i) {
      auto tick = store.message("engine.timer");
      tick.set_broadcast(true);
      CHECK_FALSE(store.ask(tick));
      store.engine().advance(1s);
    }
  };
  seconds(30);
  CHECK(store.database().texts() == std::vector<std::string>{"SWEEP 1700000000", "SWEEP 1700000010", "SWEEP 1700000020"});
  store.database().holds = true;
  seconds(30);
  CHECK(store.database().asked.size() == 4);
  store.database().holds = false;
  store.database().release();
  seconds(11);
  CHECK(store.database().asked.size() == 6);
}
