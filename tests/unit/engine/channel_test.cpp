#include <doctest/doctest.h>

#include "support/test_engine.h"

using namespace jackfield;

namespace {

struct Calls {
  TestEngine engine;
  ChannelTable& table = engine.channels();
  Channel a{"sip/1", "sip", ChannelDirection::incoming};
  Channel b{"sip/2", "sip", ChannelDirection::outgoing};
  Channel c{"sip/3", "sip", ChannelDirection::outgoing};
  std::string seen;
  Bus::Subscription watcher = engine.bus().watch("", [this](const Message& message, bool) {
    seen += std::string(message.name()) + "(" + std::string(message.get("id")) + (message.has("peerid") ? "," + std::string(message.get("peerid")) : "") +
            (message.has("reason") ? " " + std::string(message.get("reason")) : "") + ") ";
  });
  Calls() {
    for (Channel* channel : {&a, &b, &c}) table.add(*channel);
  }
  std::string happened() {
    engine.run_until_idle();
    return std::exchange(seen, {});
  }
};

}  // namespace

TEST_CASE("ids and billids count up and never repeat") {
  Calls calls;
  CHECK(calls.table.next_id("sip") == "sip/1");
  CHECK(calls.table.next_id("fork") == "fork/1");
  CHECK(calls.table.next_id("sip") == "sip/2");
  CHECK(calls.table.next_billid() == "1700000000-1");
  CHECK(calls.table.next_billid() == "1700000000-2");
}

TEST_CASE("a channel completes a message with what every driver sends") {
  Channel channel("sip/7", "sip", ChannelDirection::incoming);
  Message message("chan.startup");
  channel.complete(message);
  CHECK(message.get("id") == "sip/7");
  CHECK(message.get("module") == "sip");
  CHECK(message.get("status") == "incoming");
  CHECK(message.get("direction") == "incoming");
  CHECK(message.get("answered") == "false");
  CHECK_FALSE(message.has("peerid"));
  channel.set_billid("1-1");
  channel.set_target("sip/8");
  channel.set_address("127.0.0.1:5060");
  channel.set_answered();
  channel.complete(message);
  CHECK(message.get("status") == "answered");
  CHECK(message.get("answered") == "true");
  CHECK(message.get("billid") == "1-1");
  CHECK(message.get("targetid") == "sip/8");
  CHECK(message.get("address") == "127.0.0.1:5060");
}

TEST_CASE("connecting makes both each other's peer and tells both") {
  Calls calls;
  CHECK(calls.table.connect("sip/1", "sip/2"));
  CHECK(calls.a.peer() == "sip/2");
  CHECK(calls.b.peer() == "sip/1");
  CHECK(calls.happened() == "chan.connected(sip/1,sip/2) chan.connected(sip/2,sip/1) ");
  CHECK(calls.table.connect("sip/2", "sip/1"));
  CHECK(calls.happened() == "");
  CHECK_FALSE(calls.table.connect("sip/1", "sip/1"));
  CHECK_FALSE(calls.table.connect("sip/1", "sip/99"));
}

TEST_CASE("who is left by its peer and taken by nobody is dropped, for the same reason") {
  Calls calls;
  calls.table.connect("sip/1", "sip/2");
  calls.happened();
  std::string cause;
  auto drop = calls.engine.bus().install({"call.drop"}, [&](Message& message) { return cause = message.get("cause_sip"), true; });
  calls.table.disconnect("sip/2", {"busy", {{"cause_sip", "486"}}});
  CHECK(calls.a.peer() == "");
  CHECK(calls.a.last_peer() == "sip/2");
  CHECK(calls.b.last_peer() == "sip/1");
  CHECK(calls.happened() == "chan.disconnected(sip/1 busy) call.drop(sip/1 busy) ");
  CHECK(cause == "486");
}

TEST_CASE("who is left by its peer is not dropped when a handler takes it, it got a new peer or is gone") {
  Calls calls;
  calls.table.connect("sip/1", "sip/2");
  calls.happened();
  SUBCASE("a handler takes it") {
    auto taker = calls.engine.bus().install({"chan.disconnected"}, [](Message&) { return true; });
    calls.table.disconnect("sip/2", {"noanswer"});
    CHECK(calls.happened() == "chan.disconnected(sip/1 noanswer) ");
  }
  SUBCASE("a handler connects it and leaves the verdict to others") {
    auto taker = calls.engine.bus().install({"chan.disconnected"}, [&](Message&) { return calls.table.connect("sip/1", "sip/3"), false; });
    calls.table.disconnect("sip/2", {"noanswer"});
    CHECK(calls.happened() == "chan.disconnected(sip/1 noanswer) chan.connected(sip/1,sip/3) chan.connected(sip/3,sip/1) ");
  }
  SUBCASE("it is gone") {
    calls.table.disconnect("sip/2", {"noanswer"});
    calls.table.remove(calls.a);
    CHECK(calls.happened() == "chan.disconnected(sip/1 noanswer) ");
  }
}

TEST_CASE("who is left to handlers that do not answer in time is dropped, and their late verdict changes nothing") {
  Calls calls;
  Pendings pendings(calls.engine.timers());
  PendingId question = 0;
  const auto slow = calls.engine.bus().install({.message = "chan.disconnected"}, [&](Message&) -> Verdict {
    static constexpr auto wait = [](Pendings* pendings, PendingId* question) -> Task<bool> {
      auto pending = pendings->open<bool>(std::chrono::hours(1));
      *question = pending.id();
      co_return (co_await pending.wait()).value_or(false);
    };
    return wait(&pendings, &question);
  });
  const auto lose_peer = [&] {
    calls.table.connect("sip/1", "sip/2");
    calls.table.disconnect("sip/2", {"busy"});
    calls.happened();
  };
  SUBCASE("they never answer") {
    calls.table.set_takeover_timeout(std::chrono::seconds(10));
    lose_peer();
    calls.engine.advance(std::chrono::milliseconds(9800));
    CHECK(calls.happened() == "");
    calls.engine.advance(std::chrono::seconds(2));
    CHECK(calls.happened() == "call.drop(sip/1 busy) ");
    pendings.complete<bool>(question, false);
    CHECK(calls.happened() == "chan.disconnected(sip/1 busy) ");  // its dispatch ends, and nothing follows
  }
  SUBCASE("they answer in time") {
    lose_peer();
    pendings.complete<bool>(question, true);
    CHECK(calls.happened() == "chan.disconnected(sip/1 busy) ");
    calls.engine.advance(std::chrono::hours(1));
    CHECK(calls.happened() == "");
  }
  SUBCASE("with no limit they may take as long as they like") {
    calls.table.set_takeover_timeout({});
    lose_peer();
    calls.engine.advance(std::chrono::minutes(50));
    CHECK(calls.happened() == "");
    pendings.complete<bool>(question, false);
    CHECK(calls.happened() == "chan.disconnected(sip/1 busy) call.drop(sip/1 busy) ");
  }
}

TEST_CASE("connecting parts both from earlier peers, who are told") {
  Calls calls;
  calls.table.connect("sip/1", "sip/2");
  calls.happened();
  CHECK(calls.table.connect("sip/1", "sip/3", {"pickup"}));
  CHECK(calls.b.peer() == "");
  CHECK(calls.happened() ==
        "chan.disconnected(sip/2 pickup) chan.connected(sip/1,sip/3 pickup) chan.connected(sip/3,sip/1 pickup) call.drop(sip/2 pickup) ");
}

TEST_CASE("removing a channel parts it first") {
  Calls calls;
  calls.table.connect("sip/1", "sip/2");
  calls.happened();
  calls.table.remove(calls.b);
  CHECK(calls.table.find("sip/2") == nullptr);
  CHECK(calls.table.size() == 2);
  CHECK(calls.table.all() == std::vector<Channel*>{&calls.a, &calls.c});
  CHECK(calls.happened() == "chan.disconnected(sip/1) call.drop(sip/1) ");
}

TEST_CASE("chan.connect connects channels or their peers") {
  Calls calls;
  Message message("chan.connect");
  message.set("id", "sip/1").set("targetid", "sip/2");
  CHECK(calls.engine.dispatch(message) == true);
  CHECK(calls.a.peer() == "sip/2");
  Message peers("chan.connect");
  peers.set("id", "sip/1").set_flag("id_peer", true).set("targetid", "sip/3");
  CHECK(calls.engine.dispatch(peers) == true);
  CHECK(calls.b.peer() == "sip/3");
  CHECK(calls.a.peer() == "");
  Message unknown("chan.connect");
  unknown.set("id", "sip/1").set("targetid", "nobody/1");
  CHECK(calls.engine.dispatch(unknown) == false);
}

TEST_CASE("chan.locate answers with the channel's id as payload") {
  Calls calls;
  Message message("chan.locate");
  message.set("id", "sip/2");
  CHECK(calls.engine.dispatch(message) == true);
  REQUIRE(message.payload<ChannelHandle>() != nullptr);
  CHECK(message.payload<ChannelHandle>()->id == "sip/2");
  Message unknown("chan.locate");
  unknown.set("id", "sip/9");
  CHECK(calls.engine.dispatch(unknown) == false);
}

TEST_CASE("chan.masquerade becomes the message it names, as the channel would have sent it, for the handlers behind it") {
  Calls calls;
  calls.table.connect("sip/1", "sip/2");
  std::string early, text;
  auto before = calls.engine.bus().install({"chan.dtmf", 5}, [&](Message&) { return early = "asked", true; });
  auto after = calls.engine.bus().install({"chan.dtmf", 90}, [&](Message& message) { return text = message.get("text"), true; });
  Message message("chan.masquerade");
  message.set("id", "sip/1").set("message", "chan.dtmf").set("text", "5");
  CHECK(calls.engine.dispatch(message) == true);
  CHECK(early == "");
  CHECK(text == "5");
  CHECK(message.name() == "chan.dtmf");
  CHECK_FALSE(message.has("message"));
  CHECK(message.get("peerid") == "sip/2");
  CHECK(message.get("direction") == "incoming");
  CHECK(message.payload<ChannelHandle>()->id == "sip/1");

  Message minimal("chan.masquerade");
  minimal.set("id", "sip/1").set("message", "chan.dtmf").set_flag("complete_minimal", true);
  CHECK(calls.engine.dispatch(minimal) == true);
  CHECK(minimal.get("module") == "sip");
  CHECK_FALSE(minimal.has("peerid"));

  Message unknown("chan.masquerade");
  unknown.set("id", "sip/9").set("message", "chan.dtmf");
  CHECK(calls.engine.dispatch(unknown) == false);
  CHECK(unknown.name() == "chan.masquerade");
}
