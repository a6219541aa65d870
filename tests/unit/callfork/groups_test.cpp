// What parameters make of a fork: when the next group follows, which legs count, who is heard, and what ends it all (P-10).
#include "fork_fixture.h"

namespace jackfield::callfork {
namespace {

TEST_CASE_FIXTURE(Fixture, "P-10: |exec calls the next group as soon as one leg has failed, and the others ring on") {
  REQUIRE(execute("fork leg/a leg/b |exec leg/c"));
  CHECK(take_called() == Names{"leg/a", "leg/b"});
  rings("leg/b");
  ends("leg/a", "busy", "486");
  CHECK(take_called() == Names{"leg/c"});
  CHECK(take_dropped().empty());
  CHECK(says("leg/b", messages::kCallAnswered));
  CHECK(caller->peer() == "leg/b");
  CHECK(take_dropped() == Drops{{"leg/c", "answered-elsewhere", "200"}});
}

TEST_CASE_FIXTURE(Fixture, "P-10: |exec=ms follows after that time when none has failed") {
  REQUIRE(execute("fork leg/a |exec=2000 leg/b"));
  rings("leg/a");
  engine.advance(1999ms);
  CHECK(take_called() == Names{"leg/a"});
  engine.advance(1ms);
  CHECK(take_called() == Names{"leg/b"});
  ends("leg/a", "busy", "486");
  ends("leg/b", "rejected", "406");
  CHECK(take_dropped() == Drops{{"leg/caller", "busy", "486"}});
}

TEST_CASE_FIXTURE(Fixture, "P-10: An auxiliary leg ends with the last regular one of its group") {
  REQUIRE(execute("fork", {{"callto.1", "leg/a"}, {"callto.2", "leg/b"}, {"callto.2.fork.calltype", "auxiliar"}, {"callto.3", "|"}, {"callto.4", "leg/c"}}));
  rings("leg/a");
  rings("leg/b");
  CHECK(asked["leg/b"].count("fork.calltype") == 0);
  ends("leg/a", "busy", "486");
  CHECK(take_dropped() == Drops{{"leg/b", "noanswer", ""}});
  CHECK(called.back() == "leg/c");
  ends("leg/c", "noanswer", "480");
  CHECK(take_dropped() == Drops{{"leg/caller", "busy", "486"}});
}

TEST_CASE_FIXTURE(Fixture, "P-10: A persistent leg rings through all groups, and holds up none") {
  REQUIRE(execute("fork", {{"callto.1", "leg/a"}, {"callto.1.fork.calltype", "persistent"}, {"callto.2", "leg/b"}, {"callto.3", "|drop=3000"}, {"callto.4", "leg/c"}}));
  rings("leg/a");
  rings("leg/b");
  engine.advance(3000ms);
  CHECK(take_dropped() == Drops{{"leg/b", "noanswer", ""}});
  CHECK(called.back() == "leg/c");
  ends("leg/c", "busy", "486");
  CHECK(take_dropped().empty());
  CHECK(says("leg/a", messages::kCallAnswered));
  CHECK(caller->peer() == "leg/a");
}

TEST_CASE_FIXTURE(Fixture, "P-10: A reason that fork.stop matches ends the whole fork; a final ^ turns it round") {
  REQUIRE(execute("fork leg/a leg/b | leg/c", {{"fork.stop", "^busy$"}}));
  rings("leg/a");
  ends("leg/b", "rejected", "406");
  CHECK(forks->size() == 1);
  ends("leg/a", "busy", "486");
  CHECK(take_called() == Names{"leg/a", "leg/b"});
  CHECK(take_dropped().back().id == "leg/caller");

  caller = std::make_unique<Leg>(engine.channels(), "leg/caller", ChannelDirection::incoming);
  REQUIRE(execute("fork leg/a leg/b | leg/c", {{"fork.stop", "rejected^"}}));
  rings("leg/b");
  take_called();
  ends("leg/a", "busy", "486");
  CHECK(take_called().empty());
  CHECK(take_dropped() == Drops{{"leg/b", "busy", ""}, {"leg/caller", "busy", "486"}});
}

TEST_CASE("A fork.stop that is no regular expression stops nothing") {
  CHECK_FALSE(StopPattern("\\(").matches("busy"));
  CHECK_FALSE(StopPattern("\\(^").matches("busy"));
  CHECK_FALSE(StopPattern("").matches(""));
  CHECK(StopPattern("busy\\|rejected").matches("rejected"));
}

TEST_CASE_FIXTURE(Fixture, "P-10: With fork.autoring the caller hears ringing before any phone does") {
  REQUIRE(execute("fork leg/a", {{"fork.autoring", "yes"}}));
  CHECK(heard == Names{"call.ringing fork/1"});
  ends("leg/a", "busy", "486");
  take_dropped();
  caller = std::make_unique<Leg>(engine.channels(), "leg/caller", ChannelDirection::incoming);
  REQUIRE(execute("fork leg/a", {{"fork.autoring", "yes"}, {"fork.automessage", "call.progress"}}));
  CHECK(heard.back() == "call.progress fork/2");
  ends("leg/a", "busy", "486");
}

TEST_CASE_FIXTURE(Fixture, "P-10: Of a fork with a ringer the caller hears that leg alone, while it lasts") {
  REQUIRE(execute("fork", {{"callto.1", "leg/a"}, {"callto.2", "leg/b"}, {"callto.2.fork.ringer", "yes"}}));
  rings("leg/a");
  CHECK(heard.empty());
  rings("leg/b");
  CHECK(heard == Names{"call.ringing leg/b"});
  ends("leg/b", "busy", "486");
  rings("leg/a");
  CHECK(heard.back() == "call.ringing leg/a");
  CHECK(says("leg/a", messages::kCallAnswered));
}

}  // namespace
}  // namespace jackfield::callfork
