#include "fake_server.h"

#include "support/test_engine.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace jackfield;
using namespace jackfield::database;
using namespace std::chrono_literals;

namespace {

/// An account on a fake server, and the answers it gave.
struct Asking {
  explicit Asking(AccountOptions options = {.name = "a"}, bool reachable = true) {
    server->reachable = reachable;
    account.emplace(engine, "testdb", std::move(options), factory_of(server));
  }
  std::shared_ptr<std::optional<Answer>> ask(const std::string& text, std::string_view key = {}, Duration deadline = 0ms) {
    auto answer = std::make_shared<std::optional<Answer>>();
    auto query = std::make_shared<const Query>(*sql::QueryTemplate::plain(text, sql::Dialect::sqlite));
    engine.spawn("ask", jackfield::detail::store_result(account->ask({.query = query, .values = {}, .idempotency_key = key, .deadline = deadline}), answer));
    return answer;
  }
  Answer settled(const std::shared_ptr<std::optional<Answer>>& answer) {
    REQUIRE(engine.run_until([&] { return answer->has_value(); }));
    return **answer;
  }
  /// The workers have handed back whatever they had.
  bool quiet() {
    return engine.run_until([&] { return account->in_flight() == 0; });
  }
  bool until_open() {
    return engine.run_until([&] { return account->state() == Account::State::up; });
  }
  bool until_away() {
    return engine.run_until([&] { return account->state() == Account::State::away; });
  }
  std::vector<std::vector<std::string>> batches() {
    return server->read([](auto& s) { return s.batches; });
  }
  int refused() {
    return server->read([](auto& s) { return s.refused; });
  }

  TestEngine engine;
  std::shared_ptr<FakeServer> server = std::make_shared<FakeServer>();
  std::optional<Account> account;
};

/// A group is rolled back where one of it cannot be; by itself each gets what it deserves.
std::optional<std::string> run_as_transaction(std::span<Request* const> batch, Delivery&) {
  const bool bad = std::ranges::any_of(batch, [](auto* request) { return request->query().text.text() == "bad"; });
  for (auto* request : batch) {
    if (!bad) request->succeed();
    else if (batch.size() > 1) request->run_again(Failure::query, "the group failed");
    else request->fail(Failure::query, "this one is bad");
  }
  return {};
}

}  // namespace

TEST_CASE("what is asked in one turn goes to the database in one batch, and each asker gets his answer") {
  Asking asking;
  REQUIRE(asking.until_open());
  asking.server->run = [](std::span<Request* const> batch, Delivery&) -> std::optional<std::string> {
    for (auto* request : batch) {
      request->answer.affected = request->query().text.text().size();
      request->succeed();
    }
    return {};
  };
  const auto first = asking.ask("one"), second = asking.ask("three");
  CHECK(asking.settled(first).affected == 3);
  CHECK(asking.settled(second).affected == 5);
  CHECK(asking.batches() == std::vector<std::vector<std::string>>{{"one", "three"}});
  const auto counts = asking.account->statistics();
  CHECK(counts.total == 2);
  CHECK(counts.runs == 2);
  CHECK(counts.batches == 1);
}

TEST_CASE("a group that fails is run one by one, each with its own verdict") {
  Asking asking;
  REQUIRE(asking.until_open());
  asking.server->run = run_as_transaction;
  const auto first = asking.ask("good"), second = asking.ask("bad"), third = asking.ask("better");
  CHECK(asking.settled(first).failure == Failure::none);
  CHECK(asking.settled(second).failure == Failure::query);
  CHECK(asking.settled(second).error == "this one is bad");
  CHECK(asking.settled(third).failure == Failure::none);
  CHECK(asking.batches() == std::vector<std::vector<std::string>>{{"good", "bad", "better"}, {"good"}, {"bad"}, {"better"}});
  CHECK(asking.account->statistics().errors == 1);
}

TEST_CASE("an asker is answered at its deadline, with what stands in the way, and the database is told to stop") {
  Asking asking;
  REQUIRE(asking.until_open());
  asking.server->hold(true);
  const auto slow = asking.ask("slow", {}, 1500ms);
  REQUIRE(asking.engine.run_until([&] { return asking.server->read([](auto& s) { return s.batches.size(); }) == 1; }));
  asking.engine.advance(1490ms);
  CHECK_FALSE(slow->has_value());
  asking.engine.advance(20ms);
  REQUIRE(slow->has_value());
  CHECK((*slow)->failure == Failure::late);
  CHECK((*slow)->error == "no answer within 1500 ms: a test holds it");
  CHECK(asking.server->read([](auto& s) { return s.interrupted; }) == 1);
  CHECK(asking.quiet());
  CHECK(asking.account->statistics().failed == 1);
}

TEST_CASE("what waits behind a slow query is not begun after its deadline") {
  Asking asking;
  REQUIRE(asking.until_open());
  asking.server->hold(true);
  const auto slow = asking.ask("slow", {}, 10s);
  REQUIRE(asking.engine.run_until([&] { return asking.server->read([](auto& s) { return s.batches.size(); }) == 1; }));
  const auto behind = asking.ask("behind", {}, 100ms);
  asking.engine.advance(110ms);
  REQUIRE(behind->has_value());
  CHECK((*behind)->failure == Failure::late);
  asking.server->hold(false);
  CHECK(asking.settled(slow).failure == Failure::none);
  CHECK(asking.quiet());
  CHECK(asking.batches() == std::vector<std::vector<std::string>>{{"slow"}});
}

TEST_CASE("a full queue refuses with a clear answer") {
  Asking asking({.name = "a", .max_waiting = 2});
  REQUIRE(asking.until_open());
  asking.server->hold(true);
  const auto first = asking.ask("1"), second = asking.ask("2"), third = asking.ask("3");
  const auto refused = asking.settled(third);
  CHECK(refused.failure == Failure::away);
  CHECK(refused.error == "2 queries wait already (max_waiting)");
  asking.server->hold(false);
  CHECK(asking.settled(first).failure == Failure::none);
  CHECK(asking.settled(second).failure == Failure::none);
}

TEST_CASE("while there is no database questions are answered away at once, and attempts go on with growing pauses") {
  Asking asking({.name = "a", .reconnect_first = 100ms, .reconnect_most = 400ms}, false);
  REQUIRE(asking.until_away());
  CHECK(asking.refused() == 1);
  CHECK(asking.engine.logged("event=not_connected account=a reason=\"no route to it\""));
  const auto asked = asking.ask("x");
  asking.engine.run_until_idle();
  REQUIRE(asked->has_value());
  CHECK((*asked)->failure == Failure::away);
  CHECK((*asked)->error == "no route to it");

  // 100, 200, 400, 400 ms and up to a quarter more; never sooner.
  int attempts = 1;
  for (const auto pause : {100ms, 200ms, 400ms, 400ms}) {
    asking.engine.advance(pause - 10ms);
    CHECK(asking.refused() == attempts);
    // Step by step: what is left of a longer one would be taken off the next pause.
    ++attempts;
    for (auto more = 0ms; asking.refused() < attempts && more <= pause / 4 + 30ms; more += 10ms) {
      asking.engine.advance(10ms);
      asking.engine.run_until([&] { return asking.refused() == attempts; }, 20ms);
    }
    REQUIRE(asking.engine.run_until([&] { return asking.refused() == attempts; }));
    asking.engine.run_until([] { return false; }, 5ms);  // its mail
  }
  asking.server->read([](auto& s) { return s.reachable = true; });
  asking.engine.advance(600ms);
  REQUIRE(asking.until_open());
  CHECK(asking.settled(asking.ask("x")).failure == Failure::none);
  CHECK(asking.account->statistics().refused_connects == 5);
}

TEST_CASE("what is asked before the first attempt ended waits for it") {
  Asking good;
  CHECK(good.account->state() == Account::State::connecting);
  CHECK(good.settled(good.ask("x")).failure == Failure::none);

  Asking bad({.name = "a"}, false);
  CHECK(bad.settled(bad.ask("x")).failure == Failure::away);
}

TEST_CASE("after a connection broke, what it had not begun is run on the next one") {
  Asking asking;
  REQUIRE(asking.until_open());
  asking.engine.advance(2s);
  int runs = 0;
  asking.server->run = [&](std::span<Request* const> batch, Delivery&) -> std::optional<std::string> {
    if (++runs > 1) {
      for (auto* request : batch) request->succeed();
      return {};
    }
    batch[0]->succeed();
    batch[1]->outcome = Outcome::unsent;
    batch[2]->outcome = Outcome::in_doubt;
    batch[3]->outcome = Outcome::in_doubt;
    return "reset by peer";
  };
  const auto done = asking.ask("done"), unsent = asking.ask("unsent"), doubt = asking.ask("doubt"), keyed = asking.ask("keyed", "k1");
  CHECK(asking.settled(done).failure == Failure::none);
  CHECK(asking.settled(unsent).failure == Failure::none);
  CHECK(asking.settled(doubt).failure == Failure::late);
  CHECK(asking.settled(doubt).error == "the connection broke while it was committed; it may have been written");
  CHECK(asking.settled(keyed).failure == Failure::none);
  CHECK(asking.batches()[1] == std::vector<std::string>{"unsent", "keyed"});
  CHECK(asking.engine.logged("event=connection_lost account=a reason=\"reset by peer\""));
  CHECK(asking.account->statistics().breaks == 1);
  CHECK(asking.account->last_trouble() == "reset by peer");
}

TEST_CASE("a query that breaks each connection it meets is given up") {
  Asking asking({.name = "a", .timeout = 60s});
  asking.server->run = [](std::span<Request* const>, Delivery&) -> std::optional<std::string> { return "gone"; };
  const auto killer = asking.ask("killer");
  for (int i = 0; i < 50 && !killer->has_value(); ++i) {
    asking.engine.advance(200ms);
    asking.engine.run_until([&] { return killer->has_value(); }, 20ms);
  }
  REQUIRE(killer->has_value());
  CHECK((*killer)->failure == Failure::away);
  CHECK(asking.batches().size() <= 3);
}

TEST_CASE("a deadlock is tried again as often as the key says, and then told") {
  Asking asking({.name = "a", .retry = 2});
  int runs = 0, wanted = 3;
  asking.server->run = [&](std::span<Request* const> batch, Delivery&) -> std::optional<std::string> {
    if (++runs >= wanted) batch[0]->succeed();
    else batch[0]->run_again(Failure::away, "deadlock");
    return {};
  };
  CHECK(asking.settled(asking.ask("x")).failure == Failure::none);
  CHECK(runs == 3);
  runs = 0, wanted = 100;
  const auto failed = asking.settled(asking.ask("x"));
  CHECK(failed.failure == Failure::away);
  CHECK(failed.error == "deadlock");
  CHECK(runs == 4);  // the first, and by itself once and twice more
}

TEST_CASE("what turns out to write goes to the connection that writes, the next time at once") {
  Asking asking({.name = "a", .connections = 2, .separate_writer = true});
  auto query = std::make_shared<const Query>(*sql::QueryTemplate::plain("WITH x AS (write)", sql::Dialect::sqlite));
  CHECK_FALSE(query->writes);
  for (int i = 0; i < 2; ++i) {
    const auto answer = asking.engine.run(asking.account->ask({.query = query, .values = {}}));
    (void)answer;
    REQUIRE(asking.quiet());
    CHECK(query->writes);
  }
  CHECK(asking.batches().size() == 3);
  // The second reader may have needed longer than the answers did.
  CHECK(asking.engine.run_until([&] { return asking.account->statistics().connections == 3; }));
}

TEST_CASE("readers wait for the writer, which makes what there is to read") {
  Asking asking({.name = "a", .separate_writer = true}, false);
  REQUIRE(asking.until_away());
  CHECK(asking.refused() == 1);
  CHECK(asking.settled(asking.ask("SELECT 1")).failure == Failure::away);
  asking.server->read([](auto& s) { return s.reachable = true; });
  asking.engine.advance(1s);
  REQUIRE(asking.until_open());
  CHECK(asking.settled(asking.ask("SELECT 1")).failure == Failure::none);
}

TEST_CASE("stopping runs what is queued, interrupts what does not end, and leaves no connection open") {
  Asking asking;
  REQUIRE(asking.until_open());
  const auto queued = asking.ask("queued");
  asking.account->stop();
  CHECK(asking.settled(queued).failure == Failure::none);
  CHECK(asking.server->read([](auto& s) { return s.closed == s.opened; }));
  CHECK(asking.settled(asking.ask("x")).failure == Failure::away);

  Asking stuck;
  REQUIRE(stuck.until_open());
  stuck.server->hold(true);
  const auto running = stuck.ask("running");
  REQUIRE(stuck.engine.run_until([&] { return stuck.server->read([](auto& s) { return s.batches.size(); }) == 1; }));
  const auto behind = stuck.ask("behind");
  stuck.server->run = [](std::span<Request* const>, Delivery&) -> std::optional<std::string> { return {}; };
  stuck.account->stop(10ms);
  CHECK(stuck.settled(running).failure == Failure::late);
  CHECK(stuck.settled(behind).failure == Failure::away);
  CHECK(stuck.server->read([](auto& s) { return s.closed == s.opened; }));
}

TEST_CASE("an answer may outlive its account") {
  Asking asking;
  REQUIRE(asking.until_open());
  asking.server->hold(true);
  const auto asked = asking.ask("x");
  REQUIRE(asking.engine.run_until([&] { return asking.server->read([](auto& s) { return s.batches.size(); }) == 1; }));
  asking.server->run = [](std::span<Request* const>, Delivery&) -> std::optional<std::string> { return {}; };  // it gives no verdict any more
  asking.account.reset();
  CHECK(asking.settled(asked).failure == Failure::late);
}

TEST_CASE("with autostart=no nothing is opened until somebody asks") {
  Asking asking({.name = "a", .autostart = false});
  asking.engine.run_until([] { return false; }, 20ms);
  CHECK(asking.account->state() == Account::State::idle);
  CHECK(asking.server->read([](auto& s) { return s.opened; }) == 0);
  CHECK(asking.settled(asking.ask("x")).failure == Failure::none);
}

TEST_CASE("answers that are there are handed on before a long wait in the same batch") {
  Asking asking;
  REQUIRE(asking.until_open());
  auto* server = asking.server.get();
  std::mutex mutex;
  std::condition_variable let_go;
  bool gone = false;
  server->run = [&](std::span<Request* const> batch, Delivery& delivery) -> std::optional<std::string> {
    batch[0]->succeed();
    delivery.finished(*batch[0]);
    delivery.about_to_wait("the second");
    std::unique_lock lock(mutex);
    let_go.wait(lock, [&] { return gone; });
    batch[1]->succeed();
    return {};
  };
  const auto first = asking.ask("1"), second = asking.ask("2");
  CHECK(asking.settled(first).failure == Failure::none);
  CHECK_FALSE(second->has_value());
  {
    const std::lock_guard lock(mutex);
    gone = true;
  }
  let_go.notify_all();
  CHECK(asking.settled(second).failure == Failure::none);
}
