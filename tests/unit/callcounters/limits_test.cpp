#include "support/module_host.h"
#include "support/seed.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>

using namespace jackfield;
using namespace std::chrono_literals;

namespace {

struct Calls {
  explicit Calls(std::string_view text) : host(text) {}

  /// Empty: it may go on; else the error it is refused with.
  std::string route(std::string_view id, std::initializer_list<Parameter> parameters) {
    auto message = host.message("call.route", parameters);
    message.set("id", id);
    const bool refused = host.ask(message);
    CHECK(refused == (message.retvalue() == "-"));
    last_code = message.get("cause_sip");
    last_reason = message.get("reason_sip");
    return std::string(message.get("error"));
  }
  std::string route(std::string_view id, std::string_view username) { return route(id, {{"username", username}}); }
  void hangup(std::string_view id) {
    auto message = host.message("chan.hangup", {{"id", id}});
    CHECK_FALSE(host.ask(message));
  }
  /// A driver at 100 takes the call when there is a target, and makes the leg `becomes`.
  std::string execute(std::string_view id, std::string_view line, std::string_view becomes) {
    auto driver = host.engine().bus().install({.message = "call.execute"}, [&](Message& message) -> Verdict {
      if (!message.has("callto") || becomes.empty()) return false;
      message.set("targetid", becomes);
      return true;
    });
    auto message = host.message("call.execute", {{"id", id}, {"callto", "sip/x"}, {"line", line}});
    const bool taken = host.ask(message);
    CHECK(taken == (message.get("error").empty() && !becomes.empty()));
    return std::string(message.get("error"));
  }

  ModuleHost host;
  std::string last_code, last_reason;
};

}  // namespace

TEST_CASE("P-19: the call over the limit is refused, and there is room again once one has ended") {
  Calls calls("[limit username]\ncalls=2\nreason=Two at once\n");
  CHECK(calls.route("sip/1", "101") == "");
  CHECK(calls.route("sip/2", "101") == "");
  CHECK(calls.route("sip/3", "101") == "busy");
  CHECK(calls.last_code == "486");
  CHECK(calls.last_reason == "Two at once");
  CHECK(calls.route("sip/4", "102") == "");
  calls.hangup("sip/3");  // held no place
  CHECK(calls.route("sip/5", "101") == "busy");
  calls.hangup("sip/1");
  CHECK(calls.route("sip/6", "101") == "");
}

TEST_CASE("P-19: the refusal is 503 where that is asked for") {
  Calls calls("[limit username]\ncalls=1\ncode=503\n");
  CHECK(calls.route("sip/1", "101") == "");
  CHECK(calls.route("sip/2", "101") == "noresource");
  CHECK(calls.last_code == "503");
}

TEST_CASE("P-19: a value has its own number, from the file or from the message") {
  Calls calls("[limit username]\ncalls=1\nown=call_limit\n101=2\n103=0\n");
  CHECK(calls.route("sip/1", "101") == "");
  CHECK(calls.route("sip/2", "101") == "");
  CHECK(calls.route("sip/3", "101") == "busy");
  CHECK(calls.route("sip/4", {{"username", "101"}, {"call_limit", "3"}}) == "");
  for (int i = 10; i < 30; ++i) CHECK(calls.route("sip/" + std::to_string(i), "103") == "");
  CHECK(calls.route("sip/5", "102") == "");
  CHECK(calls.route("sip/6", "102") == "busy");
}

TEST_CASE("a call without a value and an emergency call pass") {
  Calls calls("[limit username]\ncalls=1\n");
  CHECK(calls.route("sip/1", "101") == "");
  CHECK(calls.route("sip/2", {{"username", "101"}, {"emergency", "true"}}) == "");
  CHECK(calls.route("sip/3", "") == "");
  CHECK(calls.route("sip/4", "") == "");
}

TEST_CASE("a call that is routed again keeps its place; one refused by a second limit leaves none in the first") {
  Calls calls("[limit username]\ncalls=1\n[limit context]\ncalls=1\n");
  CHECK(calls.route("sip/1", {{"username", "101"}, {"context", "office"}}) == "");
  CHECK(calls.route("sip/1", {{"username", "101"}, {"context", "office"}}) == "");
  CHECK(calls.route("sip/2", {{"username", "102"}, {"context", "office"}}) == "busy");
  CHECK(calls.route("sip/3", {{"username", "102"}, {"context", "home"}}) == "");
  // Its context has no room, but the call is there: it keeps the place of its user.
  CHECK(calls.route("sip/3", {{"username", "102"}, {"context", "office"}}) == "busy");
  CHECK(calls.route("sip/4", {{"username", "102"}, {"context", "shop"}}) == "busy");
}

TEST_CASE("P-19: so many new calls a second, whatever became of the earlier ones") {
  Calls calls("[limit username]\nrate=2\n");
  CHECK(calls.route("sip/1", "101") == "");
  CHECK(calls.route("sip/2", "101") == "");
  calls.hangup("sip/1");
  CHECK(calls.route("sip/3", "101") == "busy");
  CHECK(calls.route("sip/4", "102") == "");
  calls.host.engine().advance(500ms);
  CHECK(calls.route("sip/5", "101") == "");
  CHECK(calls.route("sip/6", "101") == "busy");
  calls.host.engine().advance(10s);  // room for a second's worth, not for ten
  CHECK(calls.route("sip/7", "101") == "");
  CHECK(calls.route("sip/8", "101") == "");
  CHECK(calls.route("sip/9", "101") == "busy");
}

TEST_CASE("P-19: calls out through an account hold their place by the leg that was made") {
  Calls calls("[limit line]\nat=call.execute\ncalls=1\ncode=503\n");
  CHECK(calls.execute("sip/1", "carrier", "sip/2") == "");
  CHECK(calls.execute("sip/3", "carrier", "sip/4") == "noresource");
  calls.hangup("sip/3");
  calls.hangup("sip/1");  // the leg out is there still
  CHECK(calls.execute("sip/5", "carrier", "sip/6") == "noresource");
  calls.hangup("sip/2");
  CHECK(calls.execute("sip/5", "carrier", "") == "");  // nobody took it
  CHECK(calls.execute("sip/5", "carrier", "sip/6") == "");
}

TEST_CASE("calls under way count on after a reload that changes their limit") {
  Calls calls("[limit username]\ncalls=1\n");
  CHECK(calls.route("sip/1", "101") == "");
  CHECK_FALSE(calls.host.load("[limit context]\ncalls=5\n[limit username]\ncalls=2\n"));
  CHECK(calls.route("sip/2", "101") == "");
  CHECK(calls.route("sip/3", "101") == "busy");
  CHECK_FALSE(calls.host.load("[limit context]\ncalls=5\n"));
  CHECK(calls.route("sip/3", "101") == "");
}

TEST_CASE("P-19: random calls never pass the limit, and nothing is held once they have ended") {
  Calls calls("[limit username]\ncalls=3\n");
  const unsigned seed = test::seed();
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::map<std::string, std::set<std::string>> there;
  for (int i = 0; i < 3000; ++i) {
    const auto user = "10" + std::to_string(random() % 4);
    auto& of_user = there[user];
    if (random() % 2 == 0 || of_user.empty()) {
      const auto id = "sip/" + std::to_string(i);
      const bool room = of_user.size() < 3;
      CHECK((calls.route(id, user) == "") == room);
      if (room) of_user.insert(id);
    } else {
      calls.hangup(*of_user.begin());
      of_user.erase(of_user.begin());
    }
  }
  for (auto& [user, of_user] : there)
    for (const auto& id : of_user) calls.hangup(id);
  for (const auto& [user, of_user] : there)
    for (int i = 0; i < 3; ++i) CHECK(calls.route(user + "/" + std::to_string(i), user) == "");
}

TEST_CASE("what callers make up is forgotten again, and how fast they called is not forgotten too soon") {
  Calls calls("[limit called]\nrate=0.005\n");
  const auto values = [&] { return calls.host.engine().metrics().prometheus_text(); };
  const auto tick = [&] {
    auto timer = calls.host.message("engine.timer", {});
    CHECK_FALSE(calls.host.ask(timer));
  };
  for (int i = 0; i < 100; ++i) {
    const auto number = std::to_string(i);
    CHECK(calls.route("sip/" + number, {{"called", number}}) == "");
    calls.hangup("sip/" + number);
  }
  CHECK(values().find("jackfield_callcounters_values_count 100\n") != std::string::npos);
  calls.host.engine().advance(120s);
  tick();
  CHECK(calls.route("sip/200", {{"called", "7"}}) == "busy");
  calls.host.engine().advance(300s);
  tick();
  CHECK(values().find("jackfield_callcounters_values_count 0\n") != std::string::npos);
  CHECK(values().find("jackfield_callcounters_refused_total 1\n") != std::string::npos);
}

TEST_CASE("N-4 who asks what would become of a call is told of the limit, and holds no place") {
  Calls calls("[limit username]\ncalls=1\n");
  const auto asked = [&] {
    auto message = calls.host.message("call.route", {{"username", "101"}});
    DispatchRecord record;
    const bool refused = calls.host.engine().run(calls.host.engine().bus().rehearse(message, record)).value();
    CHECK(refused == (message.retvalue() == "-"));
    return std::string(message.get("error"));
  };
  for (int i = 0; i < 3; ++i) CHECK(asked() == "");
  CHECK(calls.route("sip/1", "101") == "");
  for (int i = 0; i < 3; ++i) CHECK(asked() == "busy");
  CHECK(calls.host.engine().metrics().prometheus_text().find("jackfield_callcounters_refused_total 1") == std::string::npos);
  calls.hangup("sip/1");
  CHECK(asked() == "");
  Calls rates("[limit username]\nrate=1\n");
  CHECK(rates.route("sip/1", "101") == "");
  auto message = rates.host.message("call.route", {{"username", "101"}});
  DispatchRecord record;
  const bool refused = rates.host.engine().run(rates.host.engine().bus().rehearse(message, record)).value();
  CHECK(refused);
  rates.host.engine().advance(1s);
  CHECK(rates.route("sip/2", "101") == "");
}
