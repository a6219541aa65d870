#include <doctest/doctest.h>

#include "support/test_engine.h"

#include <fmt/format.h>

#include <stdexcept>

#include <malloc.h>

using namespace jackfield;

namespace {

/// Handlers that write their name into a common list when they are asked.
struct Asked {
  TestEngine engine;
  std::vector<std::string> names;
  std::vector<Bus::Subscription> installed;

  void add(std::string message, int priority, std::string name, bool answer = false) {
    installed.push_back(engine.bus().install({std::move(message), priority}, [this, name, answer](Message&) {
      names.push_back(name);
      return answer;
    }));
  }
  /// Waits until the question is completed from `open`.
  void add_waiting(std::string message, int priority, std::string name, bool answer = false) {
    installed.push_back(engine.bus().install({std::move(message), priority}, [this, name, answer](Message&) { return wait(this, name, answer); }));
  }
  static Task<bool> wait(Asked* self, std::string name, bool answer) {
    self->names.push_back(name);
    auto question = self->pendings.open<int>(std::chrono::seconds(30));
    self->waiting.push_back(question.id());
    const auto value = co_await question.wait();
    self->names.push_back(name + (value ? " resumed" : " late"));
    co_return answer;
  }
  void answer_all() {
    for (const PendingId id : std::exchange(waiting, {})) pendings.complete<int>(id, 1);
    engine.run_until_idle();
  }
  bool dispatch(Message& message) { return engine.dispatch(message).value(); }
  std::string order() const {
    std::string all;
    for (const auto& name : names) (all += all.empty() ? "" : " ") += name;
    return all;
  }

  Pendings pendings{engine.timers()};
  std::vector<PendingId> waiting;
};

}  // namespace

TEST_CASE("handlers are asked by priority, equal ones in the order they were installed") {
  Asked asked;
  asked.add("t", 50, "c");
  asked.add("t", 10, "a");
  asked.add("t", 50, "d");
  asked.add("t", 20, "b");
  asked.add("other", 1, "never");
  Message message("t");
  CHECK_FALSE(asked.dispatch(message));
  CHECK(asked.order() == "a b c d");
  CHECK_FALSE(asked.engine.bus().has_handlers("nothing"));
  CHECK(asked.engine.bus().has_handlers("t"));
}

TEST_CASE("the first true ends a dispatch, but not a broadcast, whose verdict is the or of all") {
  Asked asked;
  asked.add("t", 1, "a", true);
  asked.add("t", 2, "b", false);
  Message message("t");
  CHECK(asked.dispatch(message));
  CHECK(asked.order() == "a");
  message.set_broadcast(true);
  CHECK(asked.dispatch(message));
  CHECK(asked.order() == "a a b");
}

TEST_CASE("a renamed message goes on from the same place in the order of all handlers") {
  Asked asked;
  asked.installed.push_back(asked.engine.bus().install({"masked", 10}, [](Message& m) { return m.rename("real"), false; }));
  asked.add("real", 5, "too early");
  asked.add("real", 10, "same priority, later");
  asked.add("masked", 20, "old name");
  asked.add("real", 30, "after");
  Message message("masked");
  CHECK_FALSE(asked.dispatch(message));
  CHECK(asked.order() == "same priority, later after");
}

TEST_CASE("a handler of the new name with the same priority that was installed earlier is not asked") {
  Asked asked;
  asked.add("real", 10, "same priority, earlier");
  asked.installed.push_back(asked.engine.bus().install({"masked", 10}, [](Message& m) { return m.rename("real"), false; }));
  Message message("masked");
  CHECK_FALSE(asked.dispatch(message));
  CHECK(asked.order() == "");
}

TEST_CASE("a rename while a handler waits counts too") {
  Asked asked;
  asked.add_waiting("masked", 10, "w");
  asked.installed.push_back(asked.engine.bus().install({"masked", 20}, [](Message& m) { return m.rename("real"), false; }));
  asked.add("masked", 30, "old name");
  asked.add("real", 30, "new name", true);
  bool handled = false;
  asked.engine.bus().enqueue(Message("masked"), [&](Message& m, bool verdict) { handled = verdict && m.name() == "real"; });
  asked.engine.run_until_idle();
  CHECK(asked.order() == "w");
  asked.answer_all();
  CHECK(asked.order() == "w w resumed new name");
  CHECK(handled);
}

TEST_CASE("a filter lets through only messages with exactly that value") {
  Asked asked;
  auto handler = asked.engine.bus().install({.message = "t", .filter_name = "module", .filter_value = "sip"}, [](Message&) { return true; });
  Message message("t");
  CHECK_FALSE(asked.dispatch(message));
  message.set("module", "sips");
  CHECK_FALSE(asked.dispatch(message));
  message.set("module", "sip");
  CHECK(asked.dispatch(message));
}

TEST_CASE("tracked handlers that were asked stand in the parameter handlers, with their priority") {
  TestEngine engine;
  auto a = engine.bus().install({"t", 5, "cache"}, [](Message&) { return false; });
  auto b = engine.bus().install({"t", 7}, [](Message&) { return false; });
  auto c = engine.bus().install({"t", 50, "register"}, [](Message&) { return true; });
  auto d = engine.bus().install({"t", 60, "regfile"}, [](Message&) { return true; });
  Message message("t");
  CHECK(engine.dispatch(message) == true);
  CHECK(message.get("handlers") == "cache:5,register:50");
}

TEST_CASE("watchers see the final message and the verdict, under the name it ended with, in their order") {
  TestEngine engine;
  std::string seen;
  auto note = [&seen](std::string who) {
    return [&seen, who](const Message& m, bool handled) { seen += who + "=" + std::string(m.get("p")) + (handled ? "! " : "? "); };
  };
  auto a = engine.bus().watch("", note("all"));
  auto b = engine.bus().watch("new", note("new"));
  auto c = engine.bus().watch("old", note("old"));
  auto d = engine.bus().watch("", note("all2"));
  auto h = engine.bus().install({"old"}, [](Message& m) { return m.rename("new"), m.set("p", "1"), true; });
  Message message("old");
  CHECK(engine.dispatch(message) == true);
  CHECK(seen == "all=1! new=1! all2=1! ");
}

TEST_CASE("watchers see a dispatch that waited only when it is over") {
  Asked asked;
  asked.add_waiting("t", 1, "w", true);
  int seen = 0;
  auto watcher = asked.engine.bus().watch("t", [&](const Message&, bool handled) { seen += handled ? 1 : 100; });
  asked.engine.bus().enqueue(Message("t"));
  asked.engine.run_until_idle();
  CHECK(seen == 0);
  CHECK(asked.engine.bus().in_flight() == 1);
  asked.answer_all();
  CHECK(seen == 1);
  CHECK(asked.engine.bus().in_flight() == 0);
}

TEST_CASE("a dispatch asks those who were installed when it began, less what is withdrawn meanwhile") {
  Asked asked;
  Bus& bus = asked.engine.bus();
  Bus::Subscription self, later, added;
  self = bus.install({"t", 1}, [&](Message&) {
    asked.names.push_back("self");
    self.reset();
    later.reset();
    if (!added) added = bus.install({"t", 50}, [&](Message&) { return asked.names.push_back("added"), false; });
    return false;
  });
  later = bus.install({"t", 2}, [&](Message&) { return asked.names.push_back("withdrawn"), false; });
  asked.add("t", 60, "last");
  Message message("t");
  asked.dispatch(message);
  CHECK(asked.order() == "self last");
  asked.dispatch(message);
  CHECK(asked.order() == "self last added last");
}

TEST_CASE("a dispatch that waits skips what is withdrawn while it waits, and the waiting handler may withdraw itself") {
  Asked asked;
  asked.add_waiting("t", 1, "w");
  asked.add("t", 2, "withdrawn");
  asked.add("t", 3, "last");
  asked.engine.bus().enqueue(Message("t"));
  asked.engine.run_until_idle();
  asked.installed[0].reset();
  asked.installed[1].reset();
  asked.add("t", 2, "installed too late");
  asked.answer_all();
  CHECK(asked.order() == "w w resumed last");
}

TEST_CASE("what a withdrawn handler holds lives while its task waits and is destroyed after") {
  Asked asked;
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = held;
  auto handler = asked.engine.bus().install({"t"}, [held = std::move(held), &asked](Message&) { return Asked::wait(&asked, "w", true); });
  asked.engine.bus().enqueue(Message("t"));
  asked.engine.run_until_idle();
  handler.reset();
  CHECK_FALSE(watched.expired());
  asked.answer_all();
  CHECK(watched.expired());
}

TEST_CASE("a handler that throws is named in the log and counts as not handled, whether it answers at once or waits") {
  Asked asked;
  auto now = asked.engine.bus().install({"t", 7, "bad"}, [](Message&) -> Verdict { throw std::runtime_error("no such table"); });
  struct Late {
    static Task<bool> fail() {
      throw std::runtime_error("far server");
      co_return true;
    }
  };
  auto late = asked.engine.bus().install({"t", 8, "worse"}, [](Message&) { return Late::fail(); });
  asked.add("t", 9, "after", true);
  Message message("t");
  CHECK(asked.dispatch(message));
  CHECK(asked.order() == "after");
  CHECK(asked.engine.logged(R"(handler="t:7 bad" error="no such table")"));
  CHECK(asked.engine.logged(R"(handler="t:8 worse" error="far server")"));
}

TEST_CASE("a dispatch inside a handler of the same message is nested and runs at once") {
  TestEngine engine;
  std::string seen;
  auto handler = engine.bus().install({"t"}, [&](Message& m) {
    seen += "<" + std::string(m.get("n"));
    if (m.get("n") == "1") {
      Message inner("t");
      inner.set("id", "x").set("n", "2");
      CHECK(engine.bus().dispatch(inner).handled());
    }
    seen += ">";
    return true;
  });
  Message message("t");
  message.set("id", "x").set("n", "1");
  engine.bus().enqueue(std::move(message));
  engine.run_until_idle();
  CHECK(seen == "<1<2>>");
}

TEST_CASE("several waiting handlers of one dispatch wait one after the other") {
  Asked asked;
  asked.add_waiting("t", 1, "a");
  asked.add("t", 2, "b");
  asked.add_waiting("t", 3, "c", true);
  asked.add("t", 4, "never");
  asked.engine.bus().enqueue(Message("t"));
  asked.engine.run_until_idle();
  CHECK(asked.order() == "a");
  asked.answer_all();
  CHECK(asked.order() == "a a resumed b c");
  asked.answer_all();
  CHECK(asked.order() == "a a resumed b c c resumed");
}

TEST_CASE("a verdict with a proviso comes at once to whoever can hold back his answer, and ends the dispatch") {
  Asked asked;
  detail::Promise disk;
  auto handler = asked.engine.bus().install({.message = "test.keep"}, [&](Message&) { return Proviso{.durable = Durability(disk.outcome())}; });
  asked.add("test.keep", 200, "later");
  std::optional<Message> message("test.keep");
  auto verdict = asked.engine.bus().dispatch(*message);
  CHECK_FALSE(verdict.immediate());
  REQUIRE(verdict.provisional());
  auto open = std::move(verdict).open();
  message.reset();
  CHECK(asked.engine.bus().in_flight() == 1);
  std::optional<std::string> told;
  open->durable.then([&](const std::string& error) { told = error; });
  CHECK_FALSE(told);
  disk.fulfil("");
  CHECK(told == "");
  open.reset();
  CHECK(asked.engine.bus().in_flight() == 0);
  CHECK(asked.names.empty());
}

TEST_CASE("for everybody else a verdict with a proviso is one that is waited for") {
  enum class Else { settles, watches_another, watches, watches_all, broadcasts, has_waited };
  for (const auto who : {Else::settles, Else::watches_another, Else::watches, Else::watches_all, Else::broadcasts, Else::has_waited}) {
    for (const bool kept : {true, false}) {
      CAPTURE(static_cast<int>(who));
      CAPTURE(kept);
      Asked asked;
      auto& bus = asked.engine.bus();
      detail::Promise disk;
      const auto keeper = bus.install({.message = "test.keep"}, [&](Message&) {
        return Proviso{.durable = Durability(disk.outcome()), .code = 503, .reason = "Not Kept"};
      });
      Message message("test.keep");
      message.set_broadcast(who == Else::broadcasts);
      std::optional<bool> watched;
      Bus::Subscription watcher;
      const bool watches = who == Else::watches || who == Else::watches_all;
      if (watches) watcher = bus.watch(who == Else::watches ? "test.keep" : "", [&](const Message&, bool handled) { watched = handled; });
      if (who == Else::watches_another) watcher = bus.watch("test.other", [&](const Message&, bool handled) { watched = handled; });
      if (who == Else::has_waited) asked.add_waiting("test.keep", 50, "waiting");

      auto verdict = bus.dispatch(message);
      CHECK(verdict.provisional() == (who == Else::settles || who == Else::watches_another));
      auto result = std::make_shared<std::optional<bool>>();
      asked.engine.spawn("settle", detail::store_result(settle(std::move(verdict)), result));
      asked.engine.run_until_idle();
      asked.answer_all();
      CHECK_FALSE(result->has_value());
      CHECK_FALSE(watched);
      CHECK(bus.in_flight() == 1);

      disk.fulfil(kept ? "" : "disk full");
      asked.engine.run_until_idle();
      CHECK(*result == kept);
      CHECK(watched == (watches ? std::optional(kept) : std::nullopt));
      CHECK(message.number("code") == (kept ? 0 : 503));
      CHECK(message.get("reason") == (kept ? "" : "Not Kept"));
      CHECK(bus.in_flight() == 0);
    }
  }
}

TEST_CASE("handlers are listed as they would be asked") {
  Asked asked;
  auto a = asked.engine.bus().install({"x", 20, "two", "f", "v"}, [](Message&) { return false; });
  auto b = asked.engine.bus().install({"y", 10, "one"}, [](Message&) { return false; });
  const auto of_x = asked.engine.bus().handlers("x");
  REQUIRE(of_x.size() == 1);
  CHECK(of_x[0].track == "two");
  CHECK(of_x[0].filter_name == "f");
  CHECK(of_x[0].filter_value == "v");
  const auto all = asked.engine.bus().handlers();
  REQUIRE(all.size() >= 2);
  CHECK(std::is_sorted(all.begin(), all.end(), [](const auto& p, const auto& q) { return p.priority < q.priority; }));
  a.reset();
  CHECK_FALSE(asked.engine.bus().has_handlers("x"));
}

TEST_CASE("a subscription may outlive its bus") {
  Bus::Subscription left;
  {
    TestEngine engine;
    left = engine.bus().install({"t"}, [](Message&) { return true; });
  }
  left.reset();
  CHECK_FALSE(left);
}

TEST_CASE("names that a script makes up and gives up again leave nothing behind for ever") {
  TestEngine engine;
  const auto used = [] { return mallinfo2().uordblks; };
  const auto come_and_go = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      const auto name = fmt::format("made.up.{}{}", i, std::string(1000, 'x'));
      const auto handler = engine.bus().install({.message = name, .track = name}, [](Message&) { return true; });
      const auto watcher = engine.bus().watch(name, [](const Message&, bool) {});
    }
  };
  come_and_go(0, 10000);
  const auto before = used();
  come_and_go(10000, 60000);
  CHECK(used() < before + 100'000);
  Message message("made.up.1");
  const auto late = engine.bus().install({.message = "made.up.1"}, [](Message&) -> Verdict { throw std::runtime_error("broken"); });
  CHECK_FALSE(engine.dispatch(message).value());
  CHECK(engine.logged("broken"));  // and is found all the same
}
