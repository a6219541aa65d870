#include <doctest/doctest.h>

#include "support/test_engine.h"

#include "recorder/record.h"
#include "recorder/ring.h"

#include <deque>

using namespace jackfield;
using namespace jackfield::recorder;

namespace {

/// All dispatches in memory, the oldest first.
std::vector<ReadDispatch> recorded(FlightRecorder& recorder) {
  std::vector<ReadDispatch> all;
  recorder.each([&](std::string_view record) {
    if (read_head(record).type == Head::Type::dispatch) all.push_back(read_dispatch(record));
  });
  return all;
}

/// A line for each step: `A call.route:100 rules`, `S called=2`, `X handled`.
std::string steps(const ReadDispatch& dispatch) {
  constexpr std::string_view kAnswers[] = {"passed", "handled", "provisional", "threw", "not_asked", "left"};
  std::string out;
  for (const auto& step : dispatch.steps) {
    out += static_cast<char>(step.kind);
    switch (step.kind) {
      case Step::Kind::asked: out += fmt::format(" {}", step.label); break;
      case Step::Kind::set: out += fmt::format(" {}={}", step.name, step.value); break;
      case Step::Kind::erased: out += fmt::format(" {}", step.name); break;
      case Step::Kind::note:
      case Step::Kind::renamed:
      case Step::Kind::returns: out += fmt::format(" {}", step.value); break;
      case Step::Kind::answered: out += fmt::format(" {}", kAnswers[static_cast<std::size_t>(step.answer)]); break;
      default: break;
    }
    out += '\n';
  }
  return out;
}

/// An engine that records, with handlers that stay.
struct RecordingEngine {
  RecordingEngine() { recorder().set_room(1 << 16, 1 << 16); }
  Bus& bus() { return engine.bus(); }
  FlightRecorder& recorder() { return engine.recorder(); }
  void handle(std::string message, int priority, std::string track, Handler handler, bool dry_run = false) {
    handlers.push_back(bus().install({.message = std::move(message), .priority = priority, .track = std::move(track), .dry_run = dry_run}, std::move(handler)));
  }
  TestEngine engine;
  std::vector<Bus::Subscription> handlers;
};

Task<bool> wait_for(Pendings& pendings, Message* message, bool answer) {
  auto question = pendings.open<int>(std::chrono::seconds(2));
  (void)co_await question.wait();
  message->set("late", "yes");
  co_return answer;
}

}  // namespace

TEST_CASE("a ring keeps the newest records whatever their lengths, in order") {
  Ring ring;
  ring.set_size(1000);
  std::deque<std::string> wanted;
  std::size_t kept = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string record(static_cast<std::size_t>(i * 37 % 200), static_cast<char>('a' + i % 26));
    ring.append(record);
    wanted.push_back(record);
    std::vector<std::string> found;
    ring.each([&](std::string_view each) { found.emplace_back(each); });
    REQUIRE(found.size() == ring.count());
    REQUIRE(found.size() <= wanted.size());
    while (wanted.size() > found.size()) wanted.pop_front();
    REQUIRE(std::equal(found.begin(), found.end(), wanted.begin()));
    if (i > 100) kept = std::max(kept, found.size());
    if (i > 100) CHECK(found.size() >= 3);
  }
  CHECK(kept > 4);
  CHECK(ring.append(251) == nullptr);  // longer than a quarter
  CHECK(ring.append(246) != nullptr);
  Ring none;
  CHECK(none.append(0) == nullptr);
}

TEST_CASE("N-4 a dispatch of a call is written down: who was asked, what he answered and changed") {
  RecordingEngine engine;
  engine.handle("call.route", 10, "first", [](Message& m) { return m.set("called", "2").set("new", "x"), false; });
  engine.handle("call.route", 20, "", [](Message&) -> Verdict { throw std::runtime_error("no"); });
  engine.handle("call.route", 30, "last", [](Message& m) { return m.erase("gone"), m.set("called", "2"), m.set_retvalue("sip/x"), true; });
  engine.handle("call.route", 40, "never", [](Message&) { return true; });
  engine.handle("call.route", 15, "same", [](Message& m) { return m.rename("call.route"), false; });
  Message message("call.route", engine.engine.clock().wall());
  message.set("id", "sip/1").set("called", "1").set("gone", "soon");
  CHECK(engine.bus().dispatch(message).handled());
  const auto all = recorded(engine.recorder());
  REQUIRE(all.size() == 1);
  CHECK(all[0].name == "call.route");
  CHECK(all[0].before("called") == "1");
  CHECK(all[0].head.time == engine.engine.clock().wall().time_since_epoch().count());
  CHECK(all[0].ended == all[0].head.time);
  CHECK(steps(all[0]) ==
        "A call.route:10 first\nS called=2\nS new=x\nX passed\n"
        "A call.route:15 same\nX passed\n"
        "A call.route:20\nX threw\n"
        "A call.route:30 last\nE gone\nV sip/x\nX handled\n");
}

TEST_CASE("a dispatch that nobody records leaves nothing; neither does one while there is no room") {
  RecordingEngine engine;
  engine.handle("engine.timer", 10, "x", [](Message&) { return true; });
  engine.handle("call.route", 10, "x", [](Message&) { return true; });
  Message timer("engine.timer"), route("call.route");
  (void)engine.bus().dispatch(timer);
  CHECK(recorded(engine.recorder()).empty());
  (void)engine.bus().dispatch(route);
  CHECK(recorded(engine.recorder()).size() == 1);
  engine.recorder().set_room(0, 1 << 16);
  (void)engine.bus().dispatch(route);
  CHECK(recorded(engine.recorder()).empty());
}

TEST_CASE("a wait is written down with its times, and is seen while it lasts") {
  RecordingEngine engine;
  Pendings pendings(engine.engine.timers());
  engine.handle("call.route", 10, "script", [&](Message& m) { return wait_for(pendings, &m, true); });
  auto message = std::make_shared<Message>("call.route");
  engine.bus().enqueue(std::move(*message));
  engine.engine.run_until_idle();
  auto all = recorded(engine.recorder());
  REQUIRE(all.size() == 1);
  CHECK_FALSE(all[0].ended.has_value());
  CHECK(steps(all[0]) == "A call.route:10 script\nW\n");
  engine.engine.advance(std::chrono::seconds(3));
  all = recorded(engine.recorder());
  REQUIRE(all.size() == 1);
  CHECK(steps(all[0]) == "A call.route:10 script\nW\nR\nS late=yes\nX handled\n");
  CHECK(all[0].steps[2].time - all[0].steps[1].time == 2'000'000);
  CHECK(all[0].ended == all[0].steps[2].time);
  // One that is given up is closed, too.
  {
    auto given_up = std::make_unique<Message>("call.route");
    const Verdict verdict = engine.bus().dispatch(*given_up);
    CHECK(recorded(engine.recorder()).size() == 2);
  }
  all = recorded(engine.recorder());
  REQUIRE(all.size() == 2);
  CHECK(steps(all[1]) == "A call.route:10 script\nW\nX left\n");
  CHECK(all[1].ended.has_value());
}

TEST_CASE("a handler notes what it did, also after it has waited, and to its own dispatch only") {
  RecordingEngine engine;
  Recorder::DispatchId outer = 0, inner = 0;
  engine.handle("call.execute", 10, "inner", [&](Message&) {
    inner = engine.recorder().current();
    engine.recorder().note(inner, "inner");
    return true;
  });
  engine.handle("call.route", 10, "outer", [&](Message&) {
    outer = engine.recorder().current();
    Message nested("call.execute");
    (void)engine.bus().dispatch(nested);
    CHECK(engine.recorder().current() == outer);
    engine.recorder().note(outer, "outer");
    return true;
  });
  Message message("call.route");
  (void)engine.bus().dispatch(message);
  CHECK(outer != inner);
  CHECK(engine.recorder().current() == 0);
  engine.recorder().note(outer, "too late");
  const auto all = recorded(engine.recorder());
  REQUIRE(all.size() == 2);
  CHECK(steps(all[0]) == "A call.execute:10 inner\nN inner\nX handled\n");
  CHECK(steps(all[1]) == "A call.route:10 outer\nN outer\nX handled\n");
  CHECK(all[1].head.sequence < all[0].head.sequence);
}

TEST_CASE("passwords, HA1s and digest responses never enter the memory") {
  RecordingEngine engine;
  engine.handle("user.auth", 10, "users", [](Message& m) {
    m.set("ha1_md5", "5ecre7-md5").set("ha1_sha256", "5ecre7-sha").set("password", "5ecre7-clear");
    return m.set_retvalue("5ecre7-password"), true;
  });
  Message message("user.auth");
  message.set("username", "101").set("method", "REGISTER").set("response", "5ecre7-response");
  (void)engine.bus().dispatch(message);
  std::string bytes;
  engine.recorder().each([&](std::string_view record) { bytes += record; });
  CHECK(bytes.find("101") != std::string::npos);
  CHECK(bytes.find("***") != std::string::npos);
  CHECK(bytes.find("5ecre7") == std::string::npos);
}

TEST_CASE("a record is cut where a handler or a message has too much to say") {
  RecordingEngine engine;
  engine.recorder().set_room(1 << 20, 0);
  engine.handle("call.route", 10, "x", [&](Message&) {
    for (int i = 0; i < 10000; ++i) engine.recorder().note(engine.recorder().current(), "a rule of ordinary length");
    return true;
  });
  Message message("call.route");
  message.set("long", std::string(5000, 'x'));
  (void)engine.bus().dispatch(message);
  const auto all = recorded(engine.recorder());
  REQUIRE(all.size() == 1);
  CHECK(all[0].parameters[0].value.size() == kLongestValue);
  CHECK(all[0].parameters[0].length == 5000);
  CHECK(all[0].steps.back().kind == Step::Kind::cut);
}

TEST_CASE("N-4 a rehearsal asks only handlers that change nothing then, tells no watcher and is not among what happened") {
  RecordingEngine engine;
  int counted = 0, watched = 0;
  engine.handle("call.route", 10, "counter", [&](Message&) { return ++counted, false; });
  engine.handle("call.route", 20, "rules", [](Message& m) { return m.set_retvalue(m.flag("dry_run") ? "rehearsed" : "real"), true; }, true);
  const auto watcher = engine.bus().watch("call.route", [&](const Message&, bool) { ++watched; });
  Message message("call.route");
  DispatchRecord record;
  const auto handled = engine.engine.run(engine.bus().rehearse(message, record));
  CHECK(handled.value());
  CHECK(message.retvalue() == "rehearsed");
  CHECK(counted == 0);
  CHECK(watched == 0);
  CHECK(recorded(engine.recorder()).empty());
  CHECK(steps(read_dispatch(record.bytes())) == "A call.route:10 counter\nX not_asked\nA call.route:20 rules\nV rehearsed\nX handled\n");
  Message nobody("nobody.asks");
  CHECK_FALSE(engine.engine.run(engine.bus().rehearse(nobody, record)).value());
}

TEST_CASE("messages of a driver come back as they were, with their conversation and their way") {
  struct Reader final : WireReader {
    std::string way(std::string_view flow) const override { return std::string(flow); }
    std::string user(std::string_view) const override { return {}; }
    std::string text(std::string_view bytes) const override { return std::string(bytes); }
  };
  RecordingEngine engine;
  engine.recorder().set_room(1 << 20, 1 << 20);
  auto reader = std::make_shared<const Reader>();
  const auto source = engine.recorder().add_source(reader);
  const std::string bytes = "INVITE sip:x SIP/2.0\r\nCall-ID: abc\r\n\r\n" + std::string(20000, 'b');
  engine.recorder().wire(source, {.kind = Recorded::call, .sent = true, .key = std::string_view(bytes).substr(31, 3), .flow = "UDP there", .bytes = bytes});
  std::vector<ReadWire> all;
  engine.recorder().each([&](std::string_view record) { all.push_back(read_wire(record)); });
  REQUIRE(all.size() == 1);
  CHECK(all[0].head.type == Head::Type::wire);
  CHECK(all[0].sent);
  CHECK(all[0].key == "abc");
  CHECK(all[0].bytes == bytes.substr(0, kLongestWire));
  CHECK(all[0].length == bytes.size());
  CHECK(engine.recorder().reader(all[0].head.source)->way(all[0].flow) == "UDP there");
  reader.reset();
  CHECK(engine.recorder().reader(source) == nullptr);
}
