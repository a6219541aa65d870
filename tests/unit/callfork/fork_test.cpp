// Forked calls with legs that the test plays: who rings when, who wins, what the losers and the caller are told.
#include "fork_fixture.h"

namespace jackfield::callfork {
namespace {

TEST_CASE_FIXTURE(Fixture, "All targets ring at once, the first answer is connected to the caller, the others stop as answered elsewhere") {
  REQUIRE(execute("fork leg/a leg/b leg/c"));
  CHECK(take_called() == Names{"leg/a", "leg/b", "leg/c"});
  rings("leg/a");
  rings("leg/b");
  CHECK(heard == Names{"call.ringing leg/a", "call.ringing leg/b"});
  CHECK(says("leg/b", messages::kCallAnswered));
  CHECK(heard.back() == "call.answered leg/b");
  CHECK(caller->peer() == "leg/b");
  CHECK(legs.at("leg/b")->peer() == "leg/caller");
  CHECK(take_dropped() == Drops{{"leg/a", "answered-elsewhere", "200"}, {"leg/c", "answered-elsewhere", "200"}});
  CHECK(replaced == Names{"fork/1 leg/b leg/caller leg/a"});
  CHECK(forks->size() == 0);
  CHECK(engine.channels().size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "Of two answers in one turn the first wins") {
  execute("fork leg/a leg/b");
  auto a = std::make_unique<Message>(messages::kCallAnswered), b = std::make_unique<Message>(messages::kCallAnswered);
  legs.at("leg/a")->complete(*a);
  legs.at("leg/b")->complete(*b);
  engine.bus().enqueue(std::move(*a));
  engine.bus().enqueue(std::move(*b));
  engine.run_until_idle();
  CHECK(caller->peer() == "leg/a");
  CHECK(heard == Names{"call.answered leg/a"});
  CHECK(take_dropped() == Drops{{"leg/b", "answered-elsewhere", "200"}});
}

TEST_CASE_FIXTURE(Fixture, "Each target gets the caller's parameters and its own, and nothing of the fork's") {
  execute("fork", {{"callto.1", "leg/a"}, {"callto.1.maxcall", "9000"}, {"callto.1.called", "4711"}, {"callto.2", "leg/b"}, {"fork.ringer", "x"}, {"called", "102"}, {"error", "old"}});
  CHECK(take_called() == Names{"leg/a", "leg/b"});
  CHECK(asked["leg/a"]["maxcall"] == "9000");
  CHECK(asked["leg/a"]["called"] == "4711");
  CHECK(asked["leg/b"]["called"] == "102");
  CHECK(asked["leg/b"].count("maxcall") == 0);
  CHECK(asked["leg/b"]["caller"] == "101");
  CHECK(asked["leg/b"]["billid"] == "1-1");
  CHECK(asked["leg/b"]["cdrtrack"] == "false");
  CHECK(asked["leg/b"]["id"] == "fork/1/2");
  for (const std::string name : {"fork.ringer", "callto.1", "callto.2", "callto.1.maxcall", "error"}) CHECK(asked["leg/a"].count(name) == 0);
  forks->drop_all({"test"});
  engine.run_until_idle();
}

TEST_CASE_FIXTURE(Fixture, "When all refuse, the caller gets the best refusal") {
  execute("fork leg/a leg/b leg/c");
  ends("leg/a", "noanswer", "480");
  ends("leg/b", "busy", "486");
  CHECK(take_dropped().empty());
  ends("leg/c", "failure", "500");
  CHECK(take_dropped() == Drops{{"leg/caller", "busy", "486"}});
}

TEST_CASE_FIXTURE(Fixture, "A 6xx ends the whole call at once") {
  execute("fork leg/a leg/b");
  rings("leg/b");
  ends("leg/a", "rejected", "603");
  CHECK(take_dropped() == Drops{{"leg/b", "rejected", ""}, {"leg/caller", "rejected", "603"}});
}

TEST_CASE_FIXTURE(Fixture, "A phone that has sent nothing for 4 s does not hold up the refusal of those that did") {
  execute("fork leg/silent leg/b");
  SUBCASE("refused before") {
    rings("leg/b");
    ends("leg/b", "busy", "486");
    engine.advance(3900ms);
    CHECK(take_dropped().empty());
    engine.advance(200ms);
  }
  SUBCASE("refused after") {
    rings("leg/b");
    engine.advance(5s);
    CHECK(take_dropped().empty());
    ends("leg/b", "busy", "486");
  }
  CHECK(take_dropped() == Drops{{"leg/silent", "busy", ""}, {"leg/caller", "busy", "486"}});
}

TEST_CASE_FIXTURE(Fixture, "But one that rings does, and silence alone refuses nobody") {
  execute("fork leg/a leg/b");
  engine.advance(20s);
  CHECK(take_dropped().empty());
  legs.at("leg/a")->set_heard();
  ends("leg/b", "busy", "486");
  engine.advance(20s);
  CHECK(take_dropped().empty());
  ends("leg/a", "noanswer", "480");
  CHECK(take_dropped() == Drops{{"leg/caller", "busy", "486"}});
}

TEST_CASE_FIXTURE(Fixture, "A caller who gives up ends all of them, with his reason") {
  execute("fork leg/a leg/b");
  engine.channels().disconnect("leg/caller", {"Cancelled", {{"cause_sip", "487"}}});
  engine.run_until_idle();
  CHECK(take_dropped() == Drops{{"leg/a", "Cancelled", "487"}, {"leg/b", "Cancelled", "487"}});
  CHECK(forks->size() == 0);
}

TEST_CASE_FIXTURE(Fixture, "A group follows when all of the one before have failed") {
  execute("fork leg/a leg/b | leg/c");
  CHECK(take_called() == Names{"leg/a", "leg/b"});
  ends("leg/a", "busy", "486");
  CHECK(take_called().empty());
  ends("leg/b", "busy", "486");
  CHECK(take_called() == Names{"leg/c"});
  says("leg/c", messages::kCallAnswered);
  CHECK(caller->peer() == "leg/c");
}

TEST_CASE_FIXTURE(Fixture, "Targets that cannot be called count as refused") {
  SUBCASE("the next group follows") {
    execute("fork leg/offline nowhere/x | leg/c");
    CHECK(take_called() == Names{"leg/offline", "leg/c"});
    ends("leg/c", "busy", "486");
    CHECK(take_dropped() == Drops{{"leg/caller", "busy", "486"}});
  }
  SUBCASE("and when none can be, the caller hears why") {
    execute("fork leg/offline");
    CHECK(take_dropped() == Drops{{"leg/caller", "offline", ""}});
  }
}

TEST_CASE_FIXTURE(Fixture, "|next=ms lets a group join the one that rings, |drop=ms takes its place") {
  SUBCASE("next") {
    execute("fork leg/a |next=2000 leg/b");
    rings("leg/a");
    engine.advance(1900ms);
    CHECK(take_called() == Names{"leg/a"});
    engine.advance(200ms);
    CHECK(take_called() == Names{"leg/b"});
    CHECK(take_dropped().empty());
    says("leg/a", messages::kCallAnswered);
    CHECK(caller->peer() == "leg/a");
  }
  SUBCASE("drop") {
    execute("fork leg/a |drop=2000 leg/b");
    rings("leg/a");
    engine.advance(2100ms);
    CHECK(called == Names{"leg/a", "leg/b"});
    CHECK(take_dropped() == Drops{{"leg/a", "noanswer", ""}});
    ends("leg/b", "busy");
    CHECK(take_dropped() == Drops{{"leg/caller", "busy", ""}});
  }
  SUBCASE("a group that fails sooner does not wait") {
    execute("fork leg/a |next=2000 leg/b");
    ends("leg/a", "busy");
    CHECK(take_called() == Names{"leg/a", "leg/b"});
    engine.advance(10s);
    CHECK(take_called().empty());
    ends("leg/b", "busy");
  }
}

TEST_CASE_FIXTURE(Fixture, "A target whose call.execute waits holds up no other") {
  Pendings pendings(engine.timers());
  PendingId question = 0;
  handlers.push_back(engine.bus().install({.message = "call.execute", .priority = 50}, [&](Message& message) -> Verdict {
    if (message.get(param::kCallto) != "leg/slow") return false;
    return [](Pendings* all, PendingId* id) -> Task<bool> {
      auto answer = all->open<bool>(1h);
      *id = answer.id();
      co_await answer.wait();
      co_return false;
    }(&pendings, &question);
  }));
  execute("fork leg/slow leg/b");
  CHECK(take_called() == Names{"leg/b"});
  says("leg/b", messages::kCallAnswered);
  CHECK(caller->peer() == "leg/b");
  pendings.complete<bool>(question, true);  // its leg comes too late and is refused by the table: its slave is gone
  engine.run_until_idle();
  legs.erase("leg/slow");
  CHECK(caller->peer() == "leg/b");
}

TEST_CASE_FIXTURE(Fixture, "A fork without targets, or of nobody, is refused") {
  CHECK_FALSE(execute("fork"));
  CHECK(error == "noroute");
  CHECK_FALSE(execute("fork |"));
  CHECK_FALSE(execute("forklift"));
  caller.reset();
  CHECK_FALSE(execute("fork leg/a"));
  CHECK(error == "nocall");
  CHECK(called.empty());
}

TEST_CASE_FIXTURE(Fixture, "call.drop ends one branch, one fork, or all") {
  execute("fork leg/a leg/b");
  const auto drop = [&](std::string_view id) {
    Message message(messages::kCallDrop);
    message.set("id", id).set("reason", "because");
    const auto handled = engine.dispatch(message);
    engine.run_until_idle();
    return handled == true;
  };
  SUBCASE("one branch") {
    CHECK(drop("fork/1/1"));
    CHECK(take_dropped() == Drops{{"leg/a", "because", ""}});
    says("leg/b", messages::kCallAnswered);
    CHECK(caller->peer() == "leg/b");
  }
  SUBCASE("the fork") {
    CHECK(drop("fork/1"));
    CHECK(take_dropped() == Drops{{"leg/a", "because", ""}, {"leg/b", "because", ""}, {"leg/caller", "because", ""}});
  }
  SUBCASE("all forks") {
    CHECK(drop("fork"));
    CHECK(take_dropped().size() == 3);
  }
  SUBCASE("one that is not") {
    CHECK_FALSE(drop("fork/99"));
    CHECK_FALSE(drop("fork/x"));
    forks->drop_all({"test"});
    engine.run_until_idle();
  }
}

TEST_CASE_FIXTURE(Fixture, "A fork may be the target of another: news and the answer reach the caller through both") {
  REQUIRE(execute("fork", {{"callto.1", "leg/a"}, {"callto.2", "fork leg/b leg/c"}}));
  CHECK(take_called() == Names{"leg/a", "leg/b", "leg/c"});
  CHECK(forks->size() == 2);
  rings("leg/b");
  CHECK(heard == Names{"call.ringing leg/b"});
  SUBCASE("one of the inner fork answers") {
    CHECK(says("leg/b", messages::kCallAnswered));
    CHECK(heard.back() == "call.answered leg/b");
    CHECK(caller->peer() == "leg/b");
    CHECK(legs.at("leg/b")->peer() == "leg/caller");
    CHECK(take_dropped().size() == 2);
  }
  SUBCASE("all refuse") {
    ends("leg/b", "busy", "486");
    ends("leg/c", "noanswer", "480");
    ends("leg/a", "noanswer", "480");
    CHECK(take_dropped() == Drops{{"leg/caller", "busy", "486"}});
  }
}

TEST_CASE("Refusals are ranked: the user's word, an absent phone, a redirection or challenge, a server's failure, our own trouble") {
  const auto refusal = [](std::string reason, std::string cause) {
    DisconnectReason out{std::move(reason)};
    if (!cause.empty()) out.parameters.emplace_back("cause_sip", cause);
    return out;
  };
  const std::vector<DisconnectReason> worst_first = {refusal("noroute", ""), refusal("failure", "500"), refusal("moved", "302"), refusal("noanswer", "480"), refusal("busy", "486"),
                                                     refusal("rejected", "603")};
  Refusals all;
  CHECK(all.best().reason == "noanswer");
  for (const auto& one : worst_first) {
    all.add(one);
    CHECK(all.best().reason == one.reason);
  }
  for (const auto& one : worst_first) all.add(one);
  CHECK(all.best().reason == "rejected");

  Refusals challenged;
  for (const auto& one : {refusal("noauth", "407"), refusal("busy", "486")}) challenged.add(one);
  CHECK(challenged.best().reason == "busy");
}

}  // namespace
}  // namespace jackfield::callfork
