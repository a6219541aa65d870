#include <support/test_engine.h>

#include <doctest/doctest.h>

using namespace jackfield;

TEST_CASE("log feed: the last lines are kept, and warnings however many other lines follow") {
  TestEngine engine;
  auto& log = engine.log("test");
  log.warning("event=early");
  for (int i = 0; i < 1000; ++i) log.info("event=line number={}", i);
  auto& feed = engine.core().log_feed();
  CHECK(feed.lines().size() == 300);
  CHECK(feed.lines().back().text.ends_with("info    test: event=line number=999"));
  REQUIRE(feed.events().size() == 1);
  CHECK(feed.events()[0].text.ends_with("warning test: event=early"));
  CHECK(feed.clear_events("other") == 0);
  CHECK(feed.clear_events("test") == 1);
  CHECK(feed.events().empty());
}

TEST_CASE("log feed: watchers are told in a later turn, and what they have no room for is counted") {
  TestEngine engine;
  std::vector<std::string> told;
  auto token = engine.watch_log([&](LogLevel, std::string_view line) { told.emplace_back(line); });
  for (int i = 0; i < 1500; ++i) engine.log("test").info("event=line number={}", i);
  CHECK(told.empty());
  engine.run_until_idle();
  REQUIRE(told.size() == 1001);
  CHECK(told.back() == "(500 log lines were left out)");
  token.reset();
  engine.log("test").info("event=after");
  engine.run_until_idle();
  CHECK(told.size() == 1001);
}

TEST_CASE("log feed: a watcher that logs is told of it without end, but not at once") {
  TestEngine engine;
  int told = 0;
  std::shared_ptr<void> token = engine.watch_log([&](LogLevel, std::string_view) {
    if (++told < 5) engine.log("test").info("event=again");
    else token.reset();
  });
  engine.log("test").info("event=first");
  engine.run_until_idle();
  CHECK(told == 5);
}
