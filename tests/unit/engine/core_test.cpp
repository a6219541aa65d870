#include <doctest/doctest.h>

#include "support/test_engine.h"

#include <set>
#include <thread>

using namespace jackfield;
using namespace std::chrono_literals;

namespace {

struct Lines final : LogSink {
  void write(const Logger&, LogLevel, std::string_view text) override {
    const std::lock_guard lock(mutex);
    all += std::string(text) + "\n";
  }
  bool have(std::string_view part) {
    const std::lock_guard lock(mutex);
    return all.find(part) != std::string::npos;
  }
  std::mutex mutex;
  std::string all;
};

/// The core as the program runs it: on the kernel's clock.
struct RealCore {
  SystemClock clock;
  SystemRandom random;
  Lines lines;
  Core core{{clock, random, lines, std::filesystem::temp_directory_path(), {{"runid", "7"}}}};
};

Task<> fail_later(Pending<int> question) {
  (void)co_await question.wait();
  throw std::runtime_error("broke after waiting");
}

}  // namespace

TEST_CASE("a spawned task that throws is named in the log and counted off") {
  TestEngine engine;
  Pendings pendings{engine.timers()};
  engine.spawn("keepalive", fail_later(pendings.open<int>(1s)));
  engine.run_until_idle();
  CHECK(engine.core().running_tasks() == 1);
  engine.advance(1s);
  CHECK(engine.core().running_tasks() == 0);
  CHECK(engine.logged("task=keepalive error=\"broke after waiting\""));
}

TEST_CASE("posted work runs in a later turn, in order, and may throw") {
  TestEngine engine;
  std::string seen;
  engine.post([&] { seen += "1"; });
  engine.post([] { throw std::runtime_error("posted broke"); });
  engine.post([&] { seen += "2"; });
  CHECK(seen.empty());
  engine.run_until_idle();
  CHECK(seen == "12");
  CHECK(engine.logged("posted broke"));
}

TEST_CASE("run parameters set first stay") {
  TestEngine engine;
  CHECK(engine.core().add_run_parameter("mine", "1"));
  CHECK_FALSE(engine.core().add_run_parameter("mine", "2"));
  CHECK(engine.run_parameter("mine") == "1");
  CHECK_FALSE(engine.run_parameter("none"));
}

TEST_CASE("the loop fires timers by the kernel's clock and takes posts from any thread until it is stopped") {
  RealCore real;
  int fired = 0;
  bool posted_on_engine_thread = false;
  const auto engine_thread = std::this_thread::get_id();
  const TimerSinkId sink = real.core.timers().add_sink([&](std::uint64_t) {
    ++fired;
    real.core.stop();
  });
  real.core.timers().start(sink, 1, 20ms);
  std::thread other([&] { real.core.post([&] { posted_on_engine_thread = std::this_thread::get_id() == engine_thread; }); });
  const auto began = std::chrono::steady_clock::now();
  real.core.run();
  CHECK(std::chrono::steady_clock::now() - began >= 19ms);  // the clock counts whole milliseconds
  other.join();
  CHECK(fired == 1);
  CHECK(posted_on_engine_thread);
}

TEST_CASE("a turn of more than 20 ms names its handler") {
  RealCore real;
  auto handler = real.core.bus().install({"t", 5, "slow"}, [&](Message&) {
    const MonoTime began = real.clock.now();
    CHECK(real.clock.now() == began);
    for (const auto until = std::chrono::steady_clock::now() + 30ms; std::chrono::steady_clock::now() < until;) {}
    CHECK(real.clock.now() == began);  // constant within the turn
    real.core.stop();
    return true;
  });
  real.core.bus().enqueue(Message("t"));
  real.core.run();
  CHECK(real.lines.have("event=slow_turn"));
  CHECK(real.lines.have("handler=\"t:5 slow\""));
}

TEST_CASE("a turn of more than 20 ms names posted work") {
  RealCore real;
  real.core.post([&] {
    (void)real.clock.now();  // a turn that never looks is not measured
    for (const auto until = std::chrono::steady_clock::now() + 30ms; std::chrono::steady_clock::now() < until;) {}
    real.core.stop();
  });
  real.core.run();
  CHECK(real.lines.have("handler=\"posted work\""));
}

TEST_CASE("the watchdog tells a loop that waits from one that is held by what nobody noted") {
  std::atomic<std::uint64_t> turns{0};
  std::atomic<const char*> running{nullptr};
  std::atomic<int> probes{0};
  std::atomic<bool> held{false};
  Lines lines;
  Logger log("engine", &lines);
  const auto turn = [&] {
    ++probes;
    if (!held) ++turns;
  };
  const Watchdog watchdog(turns, running, log, turn, 1ms);
  while (probes < 20) std::this_thread::yield();
  CHECK_FALSE(lines.have("handler_holds_engine"));
  held = true;
  while (!lines.have("event=handler_holds_engine handler=\"a task or a socket\"")) std::this_thread::yield();
}

TEST_CASE("a handler that does not come back is named by the watchdog while it runs") {
  std::atomic<std::uint64_t> turns{0};
  std::atomic<const char*> running{nullptr};
  Lines lines;
  Logger log("engine", &lines);
  const Watchdog watchdog(turns, running, log, [] {}, 1ms);
  for (int turn = 0; turn < 20; ++turn) {
    running = "quick";
    running = nullptr;
    ++turns;
    std::this_thread::yield();
  }
  running = "user.auth:50 stuck";
  while (!lines.have("handler=\"user.auth:50 stuck\"")) std::this_thread::yield();
  CHECK_FALSE(lines.have("quick"));
}

TEST_CASE("a loop that keeps turning is never looked at, and one that stops turning is") {
  std::atomic<std::uint64_t> turns{0};
  std::atomic<const char*> running{"user.auth:50 long"};
  Lines lines;
  Logger log("engine", &lines);
  Watchdog watchdog(turns, running, log, [] {}, 200ms);
  // Between any two of these far less than 300 ms pass, between the first and the last more than two looks would take.
  for (const auto until = std::chrono::steady_clock::now() + 700ms; std::chrono::steady_clock::now() < until;) watchdog.put_off();
  CHECK_FALSE(lines.have("long"));
  while (!lines.have("handler=\"user.auth:50 long\"")) std::this_thread::yield();
}

TEST_CASE("finish waits for tasks and names those that outlast it") {
  RealCore real;
  Pendings pendings{real.core.timers()};
  real.core.spawn("ends", fail_later(pendings.open<int>(20ms)));
  CHECK(real.core.finish(10s).empty());
  CHECK(real.lines.have("task=ends"));
  real.core.spawn("stays", fail_later(pendings.open<int>(1h)));
  CHECK(real.core.finish(30ms) == std::vector<std::string>{"stays"});
}

TEST_CASE("random bytes come from the kernel, and from the seed in tests") {
  SystemRandom random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.next());
  CHECK(seen.size() == 1000);
  TestEngine a(5), b(5), c(6);
  const auto first = a.random().next();
  CHECK(first == b.random().next());
  CHECK(first != c.random().next());
}
