// The lines that keep enqueued messages of one key in order.
#include <doctest/doctest.h>

#include "support/test_engine.h"

#include <map>

using namespace jackfield;

namespace {

Message keyed(std::string_view id, int number) {
  Message message("t");
  message.set("id", id).set("n", number);
  return message;
}

/// A handler of `t` that waits when the message says so, and writes down when it begins and ends.
struct Sequence {
  TestEngine engine;
  Pendings pendings{engine.timers()};
  std::vector<std::pair<std::string, PendingId>> waiting;
  std::string events;
  std::map<std::string, std::vector<int>> ended;
  std::map<std::string, int> inside;
  Bus::Subscription handler = engine.bus().install({"t"}, [this](Message& message) -> Verdict {
    const std::string key(message.get("id"));
    const int number = static_cast<int>(message.number("n"));
    events += "<" + key + std::to_string(number);
    if (!key.empty()) CHECK(inside[key]++ == 0);
    if (message.flag("wait")) return wait(this, key, number);
    end(key, number);
    return true;
  });

  void end(const std::string& key, int number) {
    events += ">" + key + std::to_string(number);
    ended[key].push_back(number);
    if (!key.empty()) --inside[key];
  }
  static Task<bool> wait(Sequence* self, std::string key, int number) {
    auto question = self->pendings.open<int>(std::chrono::hours(1));
    self->waiting.emplace_back(key, question.id());
    const auto value = co_await question.wait();
    self->end(key, number);
    co_return value.has_value();
  }
  void enqueue(std::string_view key, int number, bool wait = false) {
    Message message = keyed(key, number);
    if (wait) message.set_flag("wait", true);
    engine.bus().enqueue(std::move(message));
  }
  void release(std::size_t index) {
    const PendingId id = waiting[index].second;
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(index));
    pendings.complete<int>(id, 1);
    engine.run_until_idle();
  }
};

}  // namespace

TEST_CASE("enqueue dispatches in a later turn, in order") {
  Sequence r;
  r.enqueue("a", 1);
  r.enqueue("b", 2);
  r.enqueue("", 3);
  r.enqueue("a", 4);
  CHECK(r.events == "");
  CHECK(r.engine.bus().queued() == 4);
  r.engine.run_until_idle();
  CHECK(r.events == "<a1>a1<b2>b2<3>3<a4>a4");
  CHECK(r.engine.bus().queued() == 0);
}

TEST_CASE("a message waits for the one of its key that waits for a handler; other keys and keyless ones pass") {
  Sequence r;
  r.enqueue("a", 1, true);
  r.enqueue("a", 2);
  r.enqueue("b", 3);
  r.enqueue("", 4, true);
  r.enqueue("", 5);
  r.engine.run_until_idle();
  CHECK(r.events == "<a1<b3>b3<4<5>5");
  CHECK(r.engine.bus().queued() == 1);
  r.enqueue("a", 6);
  r.engine.run_until_idle();
  r.release(0);
  CHECK(r.events == "<a1<b3>b3<4<5>5>a1<a2>a2<a6>a6");
  CHECK(r.engine.bus().queued() == 0);
  r.release(0);
  CHECK(r.engine.core().idle());
}

TEST_CASE("what a handler enqueues with its own key comes after it") {
  TestEngine engine;
  std::string seen;
  auto handler = engine.bus().install({"t"}, [&](Message& m) {
    seen += "<";
    if (m.number("n") == 1) engine.bus().enqueue(keyed("a", 2));
    seen += ">";
    return true;
  });
  engine.bus().enqueue(keyed("a", 1));
  engine.run_until_idle();
  CHECK(seen == "<><>");
}

TEST_CASE("registrations keep the order of their user, call records that of their id, everything else that of its channel") {
  Message reg("user.register");
  reg.set("username", "101").set("id", "sip/1");
  CHECK(order_key(reg) == "101");
  Message unreg("user.unregister");
  unreg.set("connection_id", "7");
  CHECK(order_key(unreg) == "");
  Message cdr("call.cdr");
  cdr.set("cdrid", "5").set("id", "sip/1");
  CHECK(order_key(cdr) == "5");
  Message hangup("chan.hangup");
  hangup.set("id", "sip/1");
  CHECK(order_key(hangup) == "sip/1");
}

TEST_CASE("a user called like a channel does not stand in the channel's line") {
  Sequence r;
  auto handler = r.engine.bus().install({"user.register"}, [&](Message&) { return r.events += "registered", true; });
  r.enqueue("sip/1", 1, true);
  Message reg("user.register");
  reg.set("username", "sip/1");
  r.engine.bus().enqueue(std::move(reg));
  r.engine.run_until_idle();
  CHECK(r.events == "<sip/11registered");
}

TEST_CASE("dispatch_in_order takes its turn in the line and keeps it until its handler is done") {
  Sequence r;
  auto ordered = [](Sequence* self, int number, bool wait) -> Task<> {
    Message message = keyed("a", number);
    if (wait) message.set_flag("wait", true);
    const bool handled = co_await self->engine.bus().dispatch_in_order(message);
    self->events += handled ? "!" : "?";
  };
  SUBCASE("behind one that waits, before one enqueued later") {
    r.enqueue("a", 1, true);
    r.engine.run_until_idle();
    r.engine.spawn("test", ordered(&r, 2, false));
    r.engine.run_until_idle();
    r.enqueue("a", 3);
    r.engine.run_until_idle();
    CHECK(r.events == "<a1");
    r.release(0);
    CHECK(r.events == "<a1>a1<a2>a2!<a3>a3");
  }
  SUBCASE("behind one that is enqueued and not begun") {
    r.enqueue("a", 1);
    r.engine.spawn("test", ordered(&r, 2, false));
    r.engine.run_until_idle();
    CHECK(r.events == "<a1>a1<a2>a2!");
  }
  SUBCASE("at once when nobody stands before it; what comes while it waits stands behind") {
    r.engine.spawn("test", ordered(&r, 1, true));
    r.engine.run_until_idle();
    r.enqueue("a", 2);
    r.engine.spawn("test", ordered(&r, 3, true));
    r.engine.run_until_idle();
    CHECK(r.events == "<a1");
    r.release(0);
    CHECK(r.events == "<a1>a1!<a2>a2<a3");
    r.release(0);
    CHECK(r.events == "<a1>a1!<a2>a2<a3>a3!");
  }
  CHECK(r.engine.core().idle());
  CHECK(r.engine.core().running_tasks() == 0);
}

TEST_CASE("done sees the message and its verdict, and may throw") {
  Sequence r;
  bool seen = false;
  r.engine.bus().enqueue(keyed("a", 1), [&](Message& message, bool handled) {
    seen = handled && message.number("n") == 1;
    throw std::runtime_error("thrown by done");
  });
  r.enqueue("a", 2);
  r.engine.run_until_idle();
  CHECK(seen);
  CHECK(r.engine.logged("thrown by done"));
  CHECK(r.events == "<a1>a1<a2>a2");
}

TEST_CASE("what is enqueued or waits at the end of the loop is given up without a leak") {
  Sequence r;
  r.enqueue("a", 1, true);
  r.enqueue("a", 2);
  r.engine.run_until_idle();
  auto ordered = [](Sequence* self) -> Task<> {
    Message message = keyed("a", 3);
    co_await self->engine.bus().dispatch_in_order(message);
    FAIL("its turn never came");
  };
  r.engine.spawn("test", ordered(&r));
  r.engine.run_until_idle();
  CHECK(r.engine.bus().queued() == 2);
  r.engine.bus().close();
  CHECK(r.engine.bus().queued() == 0);
}

TEST_CASE("any mixture of keys, waits and releases keeps each key's order and loses nothing") {
  Sequence r;
  CAPTURE(r.engine.seed());
  Random& random = r.engine.random();
  std::map<std::string, std::vector<int>> sent;
  for (int number = 0; number < 3000; ++number) {
    switch (random.next() % 8) {
      case 0: r.engine.run_until_idle(); break;
      case 1:
        if (!r.waiting.empty()) r.release(random.next() % r.waiting.size());
        break;
      default: {
        const std::uint64_t choice = random.next() % 40;
        const std::string key = choice == 0 ? "" : "k" + std::to_string(choice);
        r.enqueue(key, number, random.next() % 3 == 0);
        sent[key].push_back(number);
      }
    }
  }
  r.engine.run_until_idle();
  while (!r.waiting.empty()) r.release(random.next() % r.waiting.size());
  CHECK(r.engine.core().idle());
  CHECK(r.engine.core().running_tasks() == 0);
  for (auto& [key, numbers] : sent) {
    CAPTURE(key);
    if (key.empty()) std::sort(r.ended[key].begin(), r.ended[key].end());  // no order is promised
    CHECK(r.ended[key] == numbers);
  }
}
