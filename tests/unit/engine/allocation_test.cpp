// Counts what the program takes from the heap: the promises of "allocates nothing".
#include <doctest/doctest.h>

#include "support/test_engine.h"

#include <atomic>
#include <cstdlib>
#include <new>

using namespace jackfield;

namespace {
std::atomic<std::size_t> allocations{0};

template <class Work>
std::size_t counted(Work work) {
  const std::size_t before = allocations;
  work();
  return allocations - before;
}
}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

TEST_CASE("a dispatch whose handlers answer at once allocates nothing") {
  TestEngine engine;
  std::vector<Bus::Subscription> handlers;
  for (int i = 0; i < 10; ++i) handlers.push_back(engine.bus().install({"user.auth", i, i % 3 == 0 ? "tracked" : ""}, [](Message&) { return false; }));
  auto watcher = engine.bus().watch("", [](const Message&, bool) {});
  handlers.push_back(engine.bus().install({"user.auth", 50}, [](Message& message) { return message.rename("user.other"), false; }));
  handlers.push_back(engine.bus().install({"user.other", 60}, [](Message&) { return true; }));
  Message message("user.auth");
  bool handled = false;
  CHECK(counted([&] { handled = engine.bus().dispatch(message).handled(); }) == 0);
  CHECK(handled);
}

TEST_CASE("building a message of twelve parameters allocates nothing once the pool is warm") {
  const auto build = [] {
    Message message("user.register");
    for (const char* name : {"username", "number", "driver", "data", "expires", "sip_uri", "sip_callid", "ip_host", "ip_port", "ip_transport",
                             "address", "device"})
      message.set(name, "a value of ordinary length");
    return message.parameters().size();
  };
  CHECK(build() == 12);
  CHECK(counted(build) == 0);
}

TEST_CASE("starting, stopping and firing timers allocates nothing once warm") {
  TestEngine engine;
  std::size_t fired = 0;
  const TimerSinkId sink = engine.timers().add_sink([&](std::uint64_t) { ++fired; });
  const auto round = [&] {
    for (std::uint64_t id = 0; id < 1000; ++id) {
      const TimerHandle handle = engine.timers().start(sink, id, Duration(static_cast<Duration::rep>(id) * 37), id % 2 != 0 ? TimerKind::precise : TimerKind::coarse);
      if (id % 4 == 0) engine.timers().stop(handle);
    }
    for (int second = 0; second < 40; ++second) {
      engine.manual_clock().advance(std::chrono::seconds(1));
      engine.timers().advance();
    }
  };
  round();
  CHECK(counted(round) == 0);
  CHECK(fired == 1500);
}
