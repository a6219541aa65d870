#include <doctest/doctest.h>

#include "support/test_engine.h"

#include <map>

using namespace jackfield;
using namespace std::chrono_literals;

namespace {

struct Wheel {
  TestEngine engine;
  TimerWheel& timers = engine.timers();
  std::vector<std::pair<std::uint64_t, Duration>> fired;  // id, time since the start
  const MonoTime begin = engine.clock().now();
  TimerSinkId sink = timers.add_sink([this](std::uint64_t id) { fired.emplace_back(id, engine.clock().now() - begin); });
};

}  // namespace

TEST_CASE("a precise timer fires at its 10 ms step, never early, and once") {
  Wheel w;
  w.timers.start(w.sink, 1, 500ms);
  w.timers.start(w.sink, 2, 505ms);
  w.timers.start(w.sink, 3, 0ms);
  CHECK(w.fired.empty());
  w.engine.advance(499ms);
  CHECK(w.fired.size() == 1);
  w.engine.advance(1ms);
  CHECK(w.fired.back() == std::pair<std::uint64_t, Duration>(1, 500ms));
  w.engine.advance(10ms);
  CHECK(w.fired.back() == std::pair<std::uint64_t, Duration>(2, 510ms));
  w.engine.advance(1h);
  CHECK(w.fired.size() == 3);
  CHECK(w.timers.running() == 0);
  CHECK_FALSE(w.timers.next_due());
}

TEST_CASE("coarse timers fire together on the full second, never early") {
  Wheel w;
  w.engine.advance(250ms);
  w.timers.start(w.sink, 1, 1000ms, TimerKind::coarse);
  w.timers.start(w.sink, 2, 1500ms, TimerKind::coarse);
  w.timers.start(w.sink, 3, 750ms, TimerKind::coarse);
  w.engine.advance(10s);
  REQUIRE(w.fired.size() == 3);
  std::map<std::uint64_t, Duration> at(w.fired.begin(), w.fired.end());
  CHECK(at[3] == 1s);
  CHECK(at[1] == 2s);
  CHECK(at[2] == 2s);
}

TEST_CASE("with coarse timers only the loop is woken at most once a second") {
  Wheel w;
  for (std::uint64_t id = 0; id < 100; ++id) w.timers.start(w.sink, id, Duration(static_cast<Duration::rep>(1000 + 170 * id)), TimerKind::coarse);
  MonoTime last = w.engine.clock().now();
  int wakes = 0;
  while (const auto due = w.timers.next_due()) {
    CHECK(*due - last >= (wakes == 0 ? 0s : 1s));
    CHECK(due->time_since_epoch() % 1s == 0ms);
    last = *due;
    ++wakes;
    w.engine.advance(*due - w.engine.clock().now());
  }
  CHECK(w.fired.size() == 100);
}

TEST_CASE("a stopped timer does not fire, and a stale handle is harmless") {
  Wheel w;
  const TimerHandle first = w.timers.start(w.sink, 1, 100ms);
  CHECK(w.timers.stop(first));
  CHECK_FALSE(w.timers.stop(first));
  CHECK_FALSE(w.timers.stop({}));
  const TimerHandle second = w.timers.start(w.sink, 2, 100ms);  // takes the freed place
  CHECK_FALSE(w.timers.stop(first));
  w.engine.advance(1s);
  REQUIRE(w.fired.size() == 1);
  CHECK(w.fired[0].first == 2);
  CHECK_FALSE(w.timers.stop(second));
}

TEST_CASE("a timer may stop another of the same moment and start itself again") {
  TestEngine engine;
  TimerWheel& timers = engine.timers();
  std::vector<std::uint64_t> fired;
  TimerHandle victim;
  TimerSinkId sink = 0;
  sink = timers.add_sink([&](std::uint64_t id) {
    fired.push_back(id);
    if (id == 1) CHECK(timers.stop(victim));
    if (id == 3 && fired.size() < 5) timers.start(sink, 3, 0ms);
  });
  timers.start(sink, 1, 100ms);
  victim = timers.start(sink, 2, 100ms);
  timers.start(sink, 3, 100ms);
  engine.advance(100ms);
  CHECK(fired == std::vector<std::uint64_t>{1, 3});
  engine.advance(1s);
  CHECK(fired == std::vector<std::uint64_t>{1, 3, 3, 3, 3});
}

TEST_CASE("removing a sink drops its timers, also from inside its own call") {
  TestEngine engine;
  TimerWheel& timers = engine.timers();
  int first = 0, second = 0;
  const TimerSinkId a = timers.add_sink([&](std::uint64_t) { ++first; });
  TimerSinkId b = 0;
  b = timers.add_sink([&, held = std::make_shared<int>(7)](std::uint64_t) {
    timers.remove_sink(b);
    second += *held;
  });
  timers.start(a, 1, 100ms);
  timers.start(a, 2, 100s, TimerKind::coarse);
  timers.start(b, 1, 50ms);
  timers.start(b, 2, 50ms);
  timers.start(b, 3, 5h);
  timers.remove_sink(a);
  CHECK(timers.running() == 3);
  engine.advance(10h);
  CHECK(first == 0);
  CHECK(second == 7);
  CHECK(timers.running() == 0);
}

TEST_CASE("a sink that throws is logged, and the others of the same moment still fire") {
  TestEngine engine;
  int fired = 0;
  const TimerSinkId bad = engine.timers().add_sink([](std::uint64_t) { throw std::runtime_error("sink broke"); });
  const TimerSinkId good = engine.timers().add_sink([&](std::uint64_t) { ++fired; });
  engine.timers().start(bad, 1, 10ms);
  engine.timers().start(good, 1, 10ms);
  engine.advance(20ms);
  CHECK(engine.logged("sink broke"));
  CHECK(fired == 1);
}

TEST_CASE("a loop that slept long catches up in order") {
  Wheel w;
  for (std::uint64_t id = 1; id <= 50; ++id) w.timers.start(w.sink, id, Duration(static_cast<Duration::rep>(id * 700)));
  w.engine.manual_clock().advance(1h);
  w.timers.advance();
  REQUIRE(w.fired.size() == 50);
  for (std::size_t i = 0; i < 50; ++i) CHECK(w.fired[i].first == i + 1);
}

TEST_CASE("any mixture of starts, stops and leaps fires each timer at its first step and no other") {
  Wheel w;
  CAPTURE(w.engine.seed());
  Random& random = w.engine.random();
  struct Expected {
    TimerHandle handle;
    MonoTime due;
  };
  std::map<std::uint64_t, Expected> running;
  std::uint64_t next_id = 1;
  const auto rounded = [](MonoTime time, Duration step) { return MonoTime((time.time_since_epoch() + step - 1ms) / step * step); };
  for (int round = 0; round < 4000; ++round) {
    const MonoTime now = w.engine.clock().now();
    switch (random.next() % 4) {
      case 0:
      case 1: {
        // From nothing to months, each order of magnitude as likely.
        const auto delay = Duration(static_cast<Duration::rep>(random.next() >> (30 + random.next() % 30)) % (100 * 24h).count());
        const auto kind = random.next() % 3 == 0 ? TimerKind::coarse : TimerKind::precise;
        const Duration step = kind == TimerKind::coarse ? Duration(1s) : 10ms;
        const MonoTime step_after_now = MonoTime(now.time_since_epoch() / step * step + step);
        running[next_id] = {w.timers.start(w.sink, next_id, delay, kind), std::max(rounded(now + delay, step), step_after_now)};
        ++next_id;
        break;
      }
      case 2:
        if (!running.empty()) {
          const auto victim = std::next(running.begin(), static_cast<std::ptrdiff_t>(random.next() % running.size()));
          CHECK(w.timers.stop(victim->second.handle));
          running.erase(victim);
        }
        break;
      default: {
        w.fired.clear();
        const auto leap = Duration(static_cast<Duration::rep>(random.next() >> (36 + random.next() % 28)) % (10 * 24h).count());
        w.engine.manual_clock().advance(leap);
        w.timers.advance();
        for (const auto& [id, at] : w.fired) {
          REQUIRE(running.contains(id));
          CHECK(running[id].due <= w.engine.clock().now());
          running.erase(id);
        }
        for (const auto& [id, expected] : running) CHECK(expected.due > w.engine.clock().now());
      }
    }
    REQUIRE(w.timers.running() == running.size());
  }
}
