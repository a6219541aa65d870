// What the bus costs, in nanoseconds: the figures that DESIGN.md states. Not a test; run it on a quiet machine, built for release.
#include "core.h"

#include <fmt/format.h>

#include <chrono>

using namespace jackfield;

namespace {

template <class Work>
void measure(std::string_view what, Work work) {
  using Steady = std::chrono::steady_clock;
  for (int i = 0; i < 1000; ++i) work();
  double best = 1e18;
  for (int round = 0; round < 7; ++round) {
    constexpr int kTimes = 50'000;
    const auto began = Steady::now();
    for (int i = 0; i < kTimes; ++i) work();
    best = std::min(best, std::chrono::duration<double, std::nano>(Steady::now() - began).count() / kTimes);
  }
  fmt::print("{:<58} {:>8.1f} ns\n", what, best);
}

Message registration() {
  Message message("user.register");
  message.set("username", "101").set("number", "101").set("driver", "sip").set("data", "sip/sip:101@127.0.0.1:5060");
  message.set("expires", 3600).set("sip_uri", "sip:example.com").set("sip_callid", "a84b4c76e66710@host").set("ip_host", "127.0.0.1");
  message.set("ip_port", 5060).set("ip_transport", "UDP").set("address", "127.0.0.1:5060").set("device", "phone 1.0");
  return message;
}

struct NoLog final : LogSink {
  void write(const Logger&, LogLevel, std::string_view) override {}
};

Task<bool> pass() { co_return false; }

}  // namespace

int main() {
  SystemClock clock;
  SystemRandom random;
  NoLog log;
  Core engine({clock, random, log, "."});
  Bus& bus = engine.bus();
  std::vector<Bus::Subscription> handlers;
  for (int i = 0; i < 10; ++i) handlers.push_back(bus.install({"ten", i}, [](Message&) { return false; }));
  for (int i = 0; i < 10; ++i) handlers.push_back(bus.install({"ten.tasks", i}, [](Message&) { return pass(); }));
  handlers.push_back(bus.install({"user.register"}, [](Message&) { return true; }));

  Message ten("ten");
  measure("ten handlers that answer at once", [&] { (void)bus.dispatch(ten).handled(); });
  Message none("nobody.asks");
  measure("no handler", [&] { (void)bus.dispatch(none).handled(); });
  measure("a message of twelve parameters, built and dropped", [] { (void)registration(); });
  measure("the same, asked of one handler", [&] {
    Message message = registration();
    (void)bus.dispatch(message).handled();
  });
  engine.recorder().set_room(1 << 22, 1 << 22);
  measure("the same, written down by the flight recorder", [&] {
    Message message = registration();
    (void)bus.dispatch(message).handled();
  });
  engine.recorder().set_room(0, 0);
  measure("the same, enqueued and its turn awaited", [&] {
    bus.enqueue(registration());
    while (engine.turn()) {}
  });
  measure("ten handlers that are coroutines, enqueued and awaited", [&] {
    bus.enqueue(Message("ten.tasks"));
    while (engine.turn()) {}
  });
  const TimerSinkId sink = engine.timers().add_sink([](std::uint64_t) {});
  measure("a timer of 32 s, started and stopped", [&] { engine.timers().stop(engine.timers().start(sink, 1, std::chrono::seconds(32))); });
}
