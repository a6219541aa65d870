// call.preroute, call.route and what happens when a target fails: COMPAT §5, DECISIONS D11.
#include "unit/register/fixture.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::register_test;

namespace {

std::string configuration(std::string_view route = {}, std::string_view general = {}) {
  return fmt::format("[general]\ncall.preroute=yes\ncall.route=yes\nfallback=yes\n{}[default]\naccount=db\n"
                     "[call.preroute]\nquery=PREROUTE ${{caller}}\n[call.route]\nquery=ROUTE ${{called}} ${{over_limit}}\n{}",
                     general, route);
}

struct Exchange : Site {
  explicit Exchange(std::string_view route = {}, std::string_view general = {}) : Site(configuration(route, general)) {}
  Message call(std::string_view called = "102") const {
    return message("call.route", {{"id", "sip/1"}, {"caller", "101"}, {"called", called}, {"rtp_forward", "possible"}, {"billid", "1-1"}});
  }
  void has(std::vector<std::string> columns, std::vector<std::vector<Cell>> rows) {
    database().says = [columns, rows](const Asked&) { return Reply{.columns = columns, .rows = rows}; };
  }
};

/// A call from a channel, and targets that fail or answer as the test says.
struct Calls : Exchange {
  struct Caller final : Channel {
    explicit Caller(Engine& owner) : Channel("sip/1", "sip", ChannelDirection::incoming), engine(owner) { engine.channels().add(*this); }
    ~Caller() override { engine.channels().remove(*this); }
    Engine& engine;
  };

  std::unique_ptr<Caller> caller = std::make_unique<Caller>(engine());
  std::vector<std::string> executed;
  std::map<std::string, std::string> failing;  ///< target to error
  std::map<std::string, std::string> last;     ///< parameters of the last call.execute
  Bus::Subscription handler;

  explicit Calls(std::string_view general = {}) : Exchange({}, general) {
    handler = engine().bus().install({.message = "call.execute", .priority = 90}, [this](Message& call) {
      const std::string callto(call.get("callto"));
      executed.push_back(callto);
      last.clear();
      for (const auto& [name, value] : call.parameters()) last.emplace(name, value);
      CHECK(call.payload<ChannelHandle>());
      if (const auto error = failing.find(callto); error != failing.end()) {
        call.set("error", error->second);
        return false;
      }
      call.set("peerid", "sip/2").set("targetid", "sip/2");
      return true;
    });
    has({"location", "oconnection_id"}, {{"sip/one", "c1"}, {"sip/two", "c2"}, {"sip/three", Cell{}}});
    auto routed = call();
    CHECK(ask(routed));
    CHECK(routed.retvalue() == "sip/one");
  }
  /// The far end of the caller is lost. Answers whether the call went on.
  bool lost(std::string_view reason) {
    auto told = message("chan.disconnected", {{"id", "sip/1"}, {"reason", reason}});
    return ask(told);
  }
};

}  // namespace

TEST_CASE("YT-13 call.preroute: columns become parameters, and the chain goes on") {
  Exchange exchange;
  exchange.has({"context", "billid"}, {{"inside", Cell{}}});
  auto call = exchange.message("call.preroute", {{"caller", "101"}});
  CHECK_FALSE(exchange.ask(call));
  CHECK(call.get("context") == "inside");
  CHECK_FALSE(call.has("billid"));
  CHECK(exchange.database().texts().front() == "PREROUTE 101");

  auto bypassed = exchange.message("call.preroute", {{"caller", "101"}, {"preroute_register", "false"}});
  CHECK_FALSE(exchange.ask(bypassed));
  CHECK(exchange.database().asked.size() == 1);
  exchange.database().says = [](const Asked&) { return Reply::failed("away"); };
  auto away = exchange.message("call.preroute", {{"caller", "101"}});
  CHECK_FALSE(exchange.ask(away));
  CHECK(away.retvalue().empty());
}

TEST_CASE("call.preroute refuses a call with its result column") {
  Exchange exchange;
  exchange.reload("[general]\ncall.preroute=yes\n[default]\naccount=db\n[call.preroute]\nresult=no\nquery=Q ${caller}\n");
  exchange.has({"no", "error"}, {{"-", "busy"}});
  auto call = exchange.message("call.preroute", {{"caller", "101"}});
  CHECK(exchange.ask(call));
  CHECK(call.retvalue() == "-");
  CHECK(call.get("error") == "busy");
}

TEST_CASE("YT-13 call.route: one row is the target, its other columns parameters") {
  Exchange exchange;
  exchange.has({"location", "oconnection_id", "error"}, {{"sip/sip:102@10.0.0.2", "udp-1", Cell{}}});
  auto call = exchange.call();
  CHECK(exchange.ask(call));
  CHECK(call.retvalue() == "sip/sip:102@10.0.0.2");
  CHECK(call.get("oconnection_id") == "udp-1");
  CHECK_FALSE(call.has("error"));
  CHECK_FALSE(call.has("location"));
  CHECK(exchange.database().texts().front() == "ROUTE 102 busy");
}

TEST_CASE("call.route: nobody of that number is left to others, somebody without a target is offline") {
  Exchange exchange;
  exchange.has({"location", "error"}, {});
  auto unknown = exchange.call();
  CHECK_FALSE(exchange.ask(unknown));
  CHECK_FALSE(unknown.has("error"));

  exchange.has({"location", "error"}, {{Cell{}, "offline"}});
  auto offline = exchange.call();
  CHECK_FALSE(exchange.ask(offline));
  CHECK(offline.get("error") == "offline");
  CHECK(offline.retvalue().empty());

  exchange.reload(configuration("offlineauto=yes\n"));
  exchange.has({"location"}, {{Cell{}}});
  auto automatic = exchange.call();
  CHECK_FALSE(exchange.ask(automatic));
  CHECK(automatic.retvalue() == "-");
  CHECK(automatic.get("error") == "offline");
  CHECK(automatic.get("reason") == "Offline");
}

TEST_CASE("call.route: a database that is away refuses the call, or an earlier answer holds") {
  Exchange exchange("cache_stale=60\n");
  exchange.has({"location"}, {{"sip/old"}});
  auto known = exchange.call();
  CHECK(exchange.ask(known));
  exchange.database().says = [](const Asked&) { return Reply::failed("away"); };
  auto again = exchange.call();
  again.set("billid", "1-2");
  CHECK(exchange.ask(again));
  CHECK(again.retvalue() == "sip/old");
  auto other = exchange.call("103");
  CHECK_FALSE(exchange.ask(other));
  CHECK(other.retvalue() == "-");
  CHECK(other.get("error") == "failure");
}

TEST_CASE("YT-18 call.route: a number that the database cannot hold is nobody's") {
  Exchange exchange;
  exchange.database().says = [](const Asked&) { return Reply::failed("value"); };
  auto call = exchange.call("\xbf'");
  CHECK_FALSE(exchange.ask(call));
  CHECK_FALSE(call.has("error"));
}

TEST_CASE("D11 rows=fork: each row is a target with its own parameters, where q changes the next group begins") {
  Exchange exchange("rows=fork\n");
  exchange.has({"location", "q", "oconnection_id"}, {{"sip/a", "1.000", "c1"}, {"sip/b", "1.000", Cell{}}, {Cell{}, "1.000", "none"}, {"sip/c", "0.500", "c3"}});
  auto call = exchange.call();
  CHECK(exchange.ask(call));
  CHECK(call.retvalue() == "fork");
  CHECK(call.get("callto.1") == "sip/a");
  CHECK(call.get("callto.1.oconnection_id") == "c1");
  CHECK(call.get("callto.2") == "sip/b");
  CHECK_FALSE(call.has("callto.2.oconnection_id"));
  CHECK(call.get("callto.3") == "|");
  CHECK(call.get("callto.4") == "sip/c");
  CHECK_FALSE(call.has("callto.5"));
  CHECK_FALSE(call.has("q"));
}

TEST_CASE("D11 rows=fork: one row is no fork; a row that refuses counts only where nobody else can be reached") {
  Exchange exchange("rows=fork\n");
  exchange.has({"location", "error"}, {{"sip/a", Cell{}}});
  auto one = exchange.call();
  CHECK(exchange.ask(one));
  CHECK(one.retvalue() == "sip/a");
  exchange.has({"location", "error"}, {{"-", "busy"}, {"sip/a", Cell{}}});
  auto other = exchange.call();
  CHECK(exchange.ask(other));
  CHECK(other.retvalue() == "sip/a");
  CHECK_FALSE(other.has("error"));
  exchange.has({"location", "error"}, {{"-", "busy"}, {"-", "busy"}});
  auto busy = exchange.call();
  CHECK(exchange.ask(busy));
  CHECK(busy.retvalue() == "-");
  CHECK(busy.get("error") == "busy");
}

TEST_CASE("YT-16 what a call over the limit is refused with is a key") {
  Exchange exchange("over_limit=noresource\n");
  auto call = exchange.call();
  (void)exchange.ask(call);
  CHECK(exchange.database().texts().front() == "ROUTE 102 noresource");
}

// --- fallback

TEST_CASE("fallback: the next row is called when the far end is lost, with its own parameters and the call's") {
  Calls calls;
  CHECK(calls.lost("noanswer"));
  CHECK(calls.executed == std::vector<std::string>{"sip/two"});
  CHECK(calls.last["oconnection_id"] == "c2");
  CHECK(calls.last["called"] == "102");
  CHECK(calls.last["rtp_forward"] == "yes");
  CHECK(calls.last["id"] == "sip/1");
  CHECK(calls.lost("busy"));
  CHECK(calls.executed.back() == "sip/three");
  CHECK(calls.last.count("oconnection_id") == 0);
  CHECK_FALSE(calls.lost("busy"));
  CHECK(calls.executed.size() == 2);
}

TEST_CASE("fallback: a target that cannot be called is passed over, and the caller learns who took it on") {
  Calls calls;
  calls.failing["sip/two"] = "offline";
  auto told = calls.message("chan.disconnected", {{"id", "sip/1"}, {"error", "noroute"}, {"reroute", "true"}});
  CHECK(calls.ask(told));
  CHECK(calls.executed == std::vector<std::string>{"sip/two", "sip/three"});
  CHECK(told.get("targetid") == "sip/2");
}

TEST_CASE("fallback: when the last has failed its reason is the caller's") {
  Calls calls;
  calls.failing = {{"sip/two", "offline"}, {"sip/three", "busy"}};
  auto told = calls.message("chan.disconnected", {{"id", "sip/1"}, {"reason", "noanswer"}});
  CHECK_FALSE(calls.ask(told));
  CHECK(told.get("error") == "busy");
}

TEST_CASE("fallback: stoperror ends it") {
  Calls calls("stoperror=busy\\|rejected\n");
  CHECK_FALSE(calls.lost("busy"));
  CHECK_FALSE(calls.lost("noanswer"));
  CHECK(calls.executed.empty());
}

TEST_CASE("fallback: an answer ends it, and so does the end of the call") {
  Calls calls;
  SUBCASE("answer") {
    auto answered = calls.message("call.answered", {{"id", "sip/2"}, {"peerid", "sip/1"}, {"targetid", "sip/1"}});
    CHECK_FALSE(calls.ask(answered));
  }
  SUBCASE("end") {
    auto gone = calls.message("chan.hangup", {{"id", "sip/1"}});
    CHECK_FALSE(calls.ask(gone));
  }
  CHECK_FALSE(calls.lost("noanswer"));
  CHECK(calls.executed.empty());
}

TEST_CASE("fallback: a caller who is gone is not called for") {
  Calls calls;
  calls.caller.reset();
  calls.engine().run_until_idle();
  calls.executed.clear();
  CHECK_FALSE(calls.lost("noanswer"));
  CHECK(calls.executed.empty());
}

TEST_CASE("stoperror must be a regular expression") {
  const auto problems = problems_of(configuration({}, "stoperror=\\(\n"));
  REQUIRE(problems.size() == 1);
  CHECK(problems.front().severity == Problem::Severity::error);
}
