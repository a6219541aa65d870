#include <doctest/doctest.h>

#include "support/test_engine.h"

using namespace jackfield;
using namespace std::chrono_literals;
using Kind = PendingError::Kind;

namespace {

struct Asking {
  TestEngine engine;
  Pendings pendings{engine.timers()};
  std::string outcome;

  static Task<> wait(Asking* self, Pending<std::string> question) {
    const auto answer = co_await question.wait();
    if (answer) self->outcome += *answer;
    else if (answer.error().kind == Kind::late) self->outcome += "late";
    else if (answer.error().kind == Kind::stopped) self->outcome += "stopped";
    else self->outcome += "failed: " + answer.error().text;
  }
  PendingId ask(Duration deadline = 5s) {
    auto question = pendings.open<std::string>(deadline);
    const PendingId id = question.id();
    engine.spawn("test", wait(this, std::move(question)));
    engine.run_until_idle();
    return id;
  }
};

}  // namespace

TEST_CASE("an answer lets the waiter run on in a later turn") {
  Asking a;
  const PendingId id = a.ask();
  CHECK(a.pendings.open_count() == 1);
  CHECK(a.pendings.complete<std::string>(id, "yes"));
  CHECK(a.outcome == "");
  a.engine.run_until_idle();
  CHECK(a.outcome == "yes");
  CHECK(a.pendings.open_count() == 0);
  CHECK(a.engine.timers().running() == 0);
}

TEST_CASE("a second answer is dropped and counted") {
  Asking a;
  const PendingId id = a.ask();
  CHECK(a.pendings.complete<std::string>(id, "first"));
  CHECK_FALSE(a.pendings.complete<std::string>(id, "second"));
  CHECK_FALSE(a.pendings.fail(id, "third"));
  a.engine.run_until_idle();
  CHECK(a.outcome == "first");
  CHECK(a.pendings.dropped() == 2);
}

TEST_CASE("an answer of another type is refused and the question stays open") {
  Asking a;
  const PendingId id = a.ask();
  CHECK_FALSE(a.pendings.complete<int>(id, 5));
  CHECK(a.pendings.open_count() == 1);
  CHECK(a.pendings.complete<std::string>(id, "right"));
  a.engine.run_until_idle();
  CHECK(a.outcome == "right");
}

TEST_CASE("the deadline answers late, not before it") {
  Asking a;
  const PendingId id = a.ask(5s);
  a.engine.advance(4990ms);
  CHECK(a.outcome == "");
  a.engine.advance(10ms);
  CHECK(a.outcome == "late");
  CHECK_FALSE(a.pendings.complete<std::string>(id, "too late"));
  CHECK(a.pendings.dropped() == 1);
}

TEST_CASE("a failure carries its text") {
  Asking a;
  CHECK(a.pendings.fail(a.ask(), "connection lost"));
  a.engine.run_until_idle();
  CHECK(a.outcome == "failed: connection lost");
}

TEST_CASE("stop answers stopped, also to what is asked afterwards") {
  Asking a;
  a.ask();
  a.ask();
  a.pendings.stop();
  a.engine.run_until_idle();
  CHECK(a.outcome == "stoppedstopped");
  a.ask();
  CHECK(a.outcome == "stoppedstoppedstopped");
  CHECK(a.pendings.open_count() == 0);
  CHECK(a.engine.timers().running() == 0);
  CHECK(a.engine.core().running_tasks() == 0);
}

TEST_CASE("an answer that comes before anybody waits is kept") {
  Asking a;
  auto question = a.pendings.open<std::string>(5s);
  CHECK(a.pendings.complete<std::string>(question.id(), "early"));
  a.engine.advance(10s);
  a.engine.spawn("test", Asking::wait(&a, std::move(question)));
  a.engine.run_until_idle();
  CHECK(a.outcome == "early");
}

TEST_CASE("giving a question up frees its id and its timer") {
  Asking a;
  PendingId id = 0;
  {
    auto question = a.pendings.open<std::string>(5s);
    id = question.id();
    CHECK(a.engine.timers().running() == 1);
  }
  CHECK(a.pendings.open_count() == 0);
  CHECK(a.engine.timers().running() == 0);
  CHECK_FALSE(a.pendings.complete<std::string>(id, "nobody"));
  CHECK(a.pendings.dropped() == 1);
}

TEST_CASE("an answer may be something that can only be moved") {
  Asking a;
  auto question = a.pendings.open<std::unique_ptr<int>>(5s);
  CHECK(a.pendings.complete<std::unique_ptr<int>>(question.id(), std::make_unique<int>(3)));
  const auto answer = a.engine.run(question.wait());
  REQUIRE(answer);
  REQUIRE(answer->has_value());
  CHECK(***answer == 3);
}

TEST_CASE("the owner may be destroyed while somebody waits: that one is told stopped, and nothing is left") {
  TestEngine engine;
  auto pendings = std::make_unique<Pendings>(engine.timers());
  auto held = std::make_shared<int>(1);
  bool stopped = false;
  auto wait = [](Pending<int> question, std::shared_ptr<int> kept, bool* stopped_out) -> Task<> {
    const auto answer = co_await question.wait();
    *stopped_out = !answer && answer.error().kind == Kind::stopped && *kept == 1;
  };
  engine.spawn("test", wait(pendings->open<int>(5s), held, &stopped));
  engine.run_until_idle();
  CHECK(held.use_count() > 1);
  pendings.reset();
  engine.run_until_idle();
  CHECK(stopped);
  CHECK(held.use_count() == 1);
  CHECK(engine.timers().running() == 0);
}

TEST_CASE("a coroutine that still waits when the loop ends is destroyed with what it holds") {
  auto held = std::make_shared<int>(1);
  {
    TestEngine engine;
    Pendings pendings{engine.timers()};
    auto wait = [](Pending<int> question, std::shared_ptr<int> kept) -> Task<> {
      const auto answer = co_await question.wait();
      CHECK(answer.has_value() == (*kept == 2));
    };
    engine.spawn("test", wait(pendings.open<int>(5s), held));
    engine.run_until_idle();
    CHECK(held.use_count() > 1);
  }
  CHECK(held.use_count() == 1);
}
