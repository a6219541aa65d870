#include "database/accounts.h"

#include "fake_server.h"
#include "support/test_engine.h"

#include <jackfield/messages/database.h>
#include <jackfield/messages/engine.h>

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::database;
using namespace std::chrono_literals;
namespace param = jackfield::messages::param;

namespace {

struct Bed {
  Bed() { use({{"a", "1"}}); }

  void use(const std::vector<std::pair<std::string, std::string>>& named) {
    std::vector<AccountPlan> plans;
    for (const auto& [name, fingerprint] : named) {
      auto& server = servers[name + fingerprint];
      if (!server) server = std::make_shared<FakeServer>();
      plans.push_back({.options = {.name = name}, .fingerprint = fingerprint, .factory = factory_of(server)});
    }
    accounts.use(std::move(plans));
  }
  std::optional<bool> ask(Message& message) {
    auto result = std::make_shared<std::optional<bool>>();
    engine.spawn("ask", jackfield::detail::store_result(settle(engine.bus().dispatch(message)), result));
    REQUIRE(engine.run_until([&] { return result->has_value(); }));
    return *result;
  }
  static Message question(std::string_view account, std::string_view query) {
    Message made(messages::kDatabase);
    made.set(param::kAccount, account).set(param::kQuery, query);
    return made;
  }

  TestEngine engine;
  Accounts accounts{engine, "testdb", sql::Dialect::sqlite};
  std::map<std::string, std::shared_ptr<FakeServer>> servers;
};

}  // namespace

TEST_CASE("YT-14 database: an unknown account is not handled, a failed query is") {
  Bed bed;
  auto unknown = bed.question("b", "SELECT 1");
  CHECK(bed.ask(unknown) == false);
  CHECK_FALSE(unknown.has(param::kDbtype));

  bed.servers["a1"]->run = [](std::span<Request* const> batch, Delivery&) -> std::optional<std::string> {
    batch[0]->fail(Failure::query, "no such table: x");
    return {};
  };
  auto failing = bed.question("a", "INSERT INTO x VALUES (1)");
  CHECK(bed.ask(failing) == true);
  CHECK(failing.get(param::kError) == "no such table: x");
  CHECK(failing.get(param::kFailure) == "query");
  CHECK(failing.get(param::kDbtype) == "testdb");
}

TEST_CASE("YT-14 database: rows come as payload, their numbers as parameters; values as payload too") {
  Bed bed;
  bed.servers["a1"]->run = [](std::span<Request* const> batch, Delivery&) -> std::optional<std::string> {
    auto& request = *batch[0];
    const auto& query = request.query().text;
    REQUIRE(query.bound_count() == 2);
    request.answer.rows = std::make_shared<messages::DatabaseRows>();
    request.answer.rows->columns = {"one", "two"};
    request.answer.rows->cells = {std::string(query.bound_value(0, request.values())), std::string(query.bound_value(1, request.values()))};
    request.answer.row_count = 1;
    request.answer.column_count = 2;
    request.succeed();
    return {};
  };
  auto message = bed.question("a", "SELECT '${x}', '${missing}'");
  auto values = std::make_shared<messages::QueryValues>();
  values->values = {{"unused", "u"}, {"x", "it's"}};
  message.attach(values);
  message.set(param::kError, "of before");
  CHECK(bed.ask(message) == true);
  CHECK(message.get(param::kRows) == "1");
  CHECK(message.get(param::kColumns) == "2");
  CHECK(message.get(param::kAffected) == "0");
  CHECK_FALSE(message.has(param::kError));
  const auto* rows = message.payload<messages::DatabaseRows>();
  REQUIRE(rows != nullptr);
  CHECK(rows->row(0)[0] == "it's");
  CHECK(rows->row(0)[1] == "");
}

TEST_CASE("YT-14 database: who asks nothing learns that the account is there; what cannot be asked is refused at once") {
  Bed bed;
  auto nothing = bed.question("a", "");
  CHECK(bed.ask(nothing) == true);
  CHECK(nothing.get(param::kDbtype) == "testdb");

  auto blank = bed.question("a", " -- nothing");
  CHECK(bed.ask(blank) == true);
  CHECK(blank.get(param::kError) == "the query is empty");

  auto open = bed.question("a", "SELECT '${x");
  open.attach(std::make_shared<messages::QueryValues>());
  CHECK(bed.ask(open) == true);
  CHECK(open.get(param::kFailure) == "query");

  auto key = bed.question("a", "INSERT INTO a VALUES (1)");
  key.set(param::kIdempotencyKey, std::string(256, 'k'));
  CHECK(bed.ask(key) == true);
  CHECK(key.get(param::kFailure) == "value");
  CHECK(bed.servers["a1"]->batches.empty());
}

TEST_CASE("YT-14 database: the message's deadline counts before the account's") {
  Bed bed;
  bed.servers["a1"]->hold(true);
  auto message = bed.question("a", "SELECT 1");
  message.set(param::kDeadline, 300);
  auto result = std::make_shared<std::optional<bool>>();
  bed.engine.spawn("ask", jackfield::detail::store_result(settle(bed.engine.bus().dispatch(message)), result));
  bed.engine.advance(310ms);
  REQUIRE(result->has_value());
  CHECK(message.get(param::kFailure) == "late");
}

TEST_CASE("a reload leaves an account alone that did not change, and replaces one that did once it has answered") {
  Bed bed;
  auto* const before = bed.accounts.find("a");
  bed.use({{"a", "1"}, {"b", "1"}});
  CHECK(bed.accounts.find("a") == before);
  REQUIRE(bed.accounts.find("b") != nullptr);

  bed.servers["a1"]->hold(true);
  auto old = bed.question("a", "SELECT 'old'");
  auto result = std::make_shared<std::optional<bool>>();
  bed.engine.spawn("ask", jackfield::detail::store_result(settle(bed.engine.bus().dispatch(old)), result));
  bed.engine.run_until_idle();
  bed.use({{"a", "2"}});
  CHECK(bed.accounts.find("b") == nullptr);
  auto fresh = bed.question("a", "SELECT 'new'");
  CHECK(bed.ask(fresh) == true);
  CHECK(bed.servers["a2"]->read([](auto& s) { return s.batches.size(); }) == 1);
  CHECK_FALSE(result->has_value());

  bed.servers["a1"]->hold(false);
  REQUIRE(bed.engine.run_until([&] { return result->has_value(); }));
  CHECK_FALSE(old.has(param::kError));
  const auto closed = [&] { return bed.servers["a1"]->read([](auto& s) { return s.closed == s.opened; }); };
  for (int i = 0; i < 200 && !closed(); ++i) bed.engine.advance(20ms), bed.engine.run_until([] { return false; }, 1ms);
  CHECK(closed());
}

TEST_CASE("the status line has Yate's fields") {
  Bed bed;
  auto query = bed.question("a", "SELECT 1");
  CHECK(bed.ask(query) == true);
  Message status(messages::kEngineStatus);
  status.set(param::kModule, "testdb");
  CHECK(bed.ask(status) == true);
  const std::string line(status.retvalue());
  CHECK(line.starts_with("name=testdb,type=database,format=Total|Failed|Errors|AvgExecTime|State|Connections|Waiting;conns=1,failed=0;a=1|0|0|0."));
  CHECK(line.ends_with("|up|1|0\r\n"));

  Message brief(messages::kEngineStatus);
  brief.set(param::kDetails, "false");
  CHECK(bed.ask(brief) == false);
  CHECK(std::string(brief.retvalue()).ends_with(";conns=1,failed=0\r\n"));
}

TEST_CASE("a query's text is parsed once") {
  QueryCache cache(sql::Dialect::sqlite);
  CHECK(*cache.parsed("SELECT '${x}'") == *cache.parsed("SELECT '${x}'"));
  for (std::size_t i = 0; i < QueryCache::kMost + 10; ++i) (void)cache.parsed("SELECT " + std::to_string(i));
  CHECK(cache.size() == QueryCache::kMost);
}
