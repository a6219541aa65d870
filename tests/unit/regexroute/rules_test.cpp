#include "rules_fixture.h"

#include <jackfield/pending.h>

#include <algorithm>
#include <vector>

using namespace jackfield;

TEST_CASE("YT-19: the first rule that matches routes the call") {
  Rules rules("[default]\n^112$=zap/1\n^00\\(.*\\)$=sip/sip:\\1@gw\n^0=-;error=forbidden\n.*=tone/dial\n");
  CHECK(rules.target("112") == "zap/1");
  CHECK(rules.target("0049301") == "sip/sip:49301@gw");
  CHECK(rules.target("5") == "tone/dial");
  const auto refused = rules.route("0123");
  CHECK(refused.handled);
  CHECK(refused.target == "-");
  CHECK(refused.error == "forbidden");
}

TEST_CASE("a call to nobody, and a context without a section, are not handled") {
  Rules rules("[default]\n.*=a\n");
  CHECK_FALSE(rules.route("").handled);
  CHECK_FALSE(rules.route("1", {{"context", "nowhere"}}).handled);
}

TEST_CASE("the context names the section") {
  Rules rules("[default]\n.*=d\n[office]\n.*=o\n");
  CHECK(rules.target("1") == "d");
  CHECK(rules.target("1", {{"context", "office"}}) == "o");
}

TEST_CASE("left sides: a parameter, its default, a function, negation") {
  CHECK(Rules("[default]\n${caller}^30=yes\n.*=no\n").target("1", {{"caller", "3000"}}) == "yes");
  CHECK(Rules("[default]\n${caller}^30=yes\n.*=no\n").target("1", {{"caller", "4000"}}) == "no");
  CHECK(Rules("[default]\n${caller$30}^30=yes\n.*=no\n").target("1") == "yes");
  CHECK(Rules("[default]\n$(length,${called})^3$=yes\n.*=no\n").target("123") == "yes");
  CHECK(Rules("[default]\n^1^=not one:\\0\n.*=one\n").target("23") == "not one:");
  CHECK(Rules("[default]\n^1^=not one\n.*=one\n").target("123") == "one");
  CHECK(Rules("[default]\n^^=never\n.*=always\n").target("1") == "always");
  CHECK(Rules("[default]\nx\\^=caret\n.*=no\n").target("x^") == "caret");
}

TEST_CASE("an empty expression after a parameter or function asks whether it is true") {
  for (const auto& [value, holds] : {std::pair{"", false}, {"false", false}, {"no", false}, {"off", false}, {"disable", false}, {"f", false}, {"0", false},
                                     {"000", false}, {"yes", true}, {"1", true}, {"anything", true}}) {
    CAPTURE(value);
    CHECK((Rules("[default]\n${flag}=yes\n.*=no\n").target("1", {{"flag", value}}) == "yes") == holds);
    CHECK((Rules("[default]\n${flag}^=yes\n.*=no\n").target("1", {{"flag", value}}) == "yes") == !holds);
  }
  CHECK(Rules("[priorities]\ndefaultrule=^on$\n[default]\n${flag}=yes\n.*=no\n").target("1", {{"flag", "on"}}) == "yes");
}

TEST_CASE("chains are read from left to right; after a true or the rest is not asked") {
  Rules rules("[default]\n${a}=if ${b}=and ${c}=all\n${d}=or ${e}=one\n${a}=or ${b}=and ${c}=rest skipped\n.*=none\n");
  CHECK(rules.target("1", {{"a", "1"}, {"b", "1"}, {"c", "1"}}) == "all");
  CHECK(rules.target("1", {{"e", "1"}}) == "one");
  CHECK(rules.target("1", {{"d", "1"}}) == "one");
  CHECK(rules.target("1", {{"a", "1"}}) == "rest skipped");
  CHECK(rules.target("1", {{"b", "1"}}) == "none");
  CHECK(rules.target("1", {{"b", "1"}, {"c", "1"}}) == "rest skipped");
  // A false `and` does not hide a later `or`.
  CHECK(Rules("[default]\n${a}=and ${b}=or ${c}=yes\n.*=no\n").target("1", {{"c", "1"}}) == "yes");
}

TEST_CASE("in a chain a plain expression tests the match string; groups are those of the last one tested") {
  Rules rules("[default]\n${id}^\\(sip\\)/=if ^\\(1\\)\\(2\\)=\\1-\\2\n.*=no\n");
  CHECK(rules.target("123", {{"id", "sip/7"}}) == "1-2");
  CHECK(rules.target("123", {{"id", "h323/7"}}) == "no");
}

TEST_CASE("blocks: the first whose conditions hold is entered, the last without conditions else") {
  Rules rules(
      "[default]\n${a}={\n^1=a1\n} ${b}={\n^1=b1\n${c}={\n^2=bc2\n}\n} = {\n^1=else1\n}\n.*=after\n");
  CHECK(rules.target("1", {{"a", "1"}, {"b", "1"}}) == "a1");
  CHECK(rules.target("1", {{"b", "1"}}) == "b1");
  CHECK(rules.target("2", {{"b", "1"}}) == "after");
  CHECK(rules.target("2", {{"b", "1"}, {"c", "1"}}) == "bc2");
  CHECK(rules.target("1") == "else1");
  CHECK(rules.target("2") == "after");
  CHECK(rules.target("2", {{"a", "1"}}) == "after");
}

TEST_CASE("assignments: the target is expanded before them, each sees those before it") {
  Rules rules("[default]\n.*=${x};x=2;y=${x}3;z;$g=${y};w=$(g)\n");
  const auto routed = rules.route("1", {{"x", "1"}, {"z", "gone"}});
  CHECK(routed.target == "1");
  CHECK(routed["x"] == "2");
  CHECK(routed["y"] == "23");
  CHECK_FALSE(routed.message.has("z"));
  CHECK(routed["w"] == "23");
}

TEST_CASE("what was set stays set when a later rule routes, and variables from call to call") {
  Rules rules("[$once]\nstart=7\n[$init]\nreset=1\n[default]\n^1=;seen=$(start);$start=8\n^2=;$start\n.*=t;left=$(start);is=$(variables,start);reset=$(reset)\n");
  CHECK(rules.route("1")["seen"] == "7");
  CHECK(rules.route("3")["left"] == "8");
  CHECK_FALSE(rules.host.load("[$once]\nstart=7\n[$init]\nreset=2\n[default]\n^2=;$start\n.*=t;left=$(start);is=$(variables,start);reset=$(reset)\n"));
  CHECK(rules.route("3")["left"] == "8");
  CHECK(rules.route("3")["reset"] == "2");
  CHECK(rules.route("2")["is"] == "false");
}

TEST_CASE("include goes on unless it was handled, jump does not come back") {
  Rules rules(
      "[default]\n^1=include sub\n^2=call sub\n^3=jump sub\n^4=goto sub\n.*=default\n"
      "[sub]\n^1=return\n^2=return true\n${never}=never\n${x}=x\n");
  CHECK(rules.target("1") == "default");
  const auto returned = rules.route("2");
  CHECK(returned.handled);
  CHECK(returned.target == "");
  CHECK_FALSE(rules.route("3").handled);
  CHECK(rules.target("4", {{"x", "1"}}) == "x");
}

TEST_CASE("a missing context is skipped; contexts in contexts are as deep as maxdepth") {
  CHECK(Rules("[default]\n.*=@include nowhere\n.*=after\n").target("1") == "after");
  Rules rules("[default]\n.*=;n=$(add,${n$0},1)\n.*=include default\n.*=after\n");
  const auto routed = rules.route("1");
  CHECK(routed.target == "after");
  CHECK(routed["n"] == "5");
  Rules jumps("[default]\n.*=jump other\n[other]\n.*=;n=$(add,${n$0},1)\n.*=jump other\n.*=end\n");
  CHECK(jumps.route("1").target == "end");
  CHECK(jumps.route("1")["n"] == "4");
}

TEST_CASE("match changes what following rules test, not the parameter; it lasts beyond an include") {
  Rules rules("[default]\n^9\\(.*\\)$=match \\1;called=x\n^9=nine\n^1=include change\n^3=three\n.*=${called}\n[change]\n.*=newmatch 3\n");
  CHECK(rules.target("98") == "x");
  CHECK(rules.target("991") == "nine");
  CHECK(rules.target("1") == "three");
}

TEST_CASE("retval is given back although nothing handled the message; noop and an empty target go on") {
  Rules rules("[default]\n^1=retval 5\n^2=noop;a=1\n^2=;b=1\n");
  const auto one = rules.route("1"), two = rules.route("2");
  CHECK_FALSE(one.handled);
  CHECK(one.target == "5");
  CHECK_FALSE(two.handled);
  CHECK(two["a"] == "1");
  CHECK(two["b"] == "1");
}

TEST_CASE("echo and debug print the whole line, and set nothing") {
  Rules rules("[default]\n^1=echo called ${called}; a=1\n^1=output;b=2\n^1=debug 5 careful; c=3\n.*=t\n");
  const auto routed = rules.route("1");
  CHECK(routed.target == "t");
  for (const char* name : {"a", "b", "c"}) CHECK_FALSE(routed.message.has(name));
  CHECK(rules.host.engine().logged("called 1; a=1"));
  CHECK(rules.host.engine().logged(";b=2"));
  CHECK(rules.host.engine().logged("careful; c=3"));
}

TEST_CASE("preroute gives callers their context, and refuses with -") {
  Rules rules("[contexts]\n^00=international\n^9=-;error=forbidden\n${address}^10\\.=office\n[default]\n.*=x\n");
  const auto international = rules.ask("call.preroute", {{"caller", "0049"}});
  CHECK(international.handled);
  CHECK(international.context == "international");
  const auto refused = rules.ask("call.preroute", {{"caller", "99"}});
  CHECK(refused.handled);
  CHECK(refused.target == "-");
  CHECK(refused.error == "forbidden");
  CHECK(rules.ask("call.preroute", {{"caller", "5"}, {"address", "10.1.2.3:5060"}}).context == "office");
  CHECK_FALSE(rules.ask("call.preroute", {{"caller", "5"}}).handled);
  CHECK_FALSE(rules.ask("call.preroute", {{"caller", ""}, {"address", "10.1.2.3:5060"}}).handled);
  CHECK_FALSE(rules.ask("call.preroute", {{"caller", "0049"}, {"context", "there"}}).handled);
  Rules all("[priorities]\nprerouteall=yes\n[contexts]\n.*=everybody\n");
  CHECK(all.ask("call.preroute", {{"caller", ""}}).context == "everybody");
}

TEST_CASE("extra handlers: parameter, context, and filter") {
  Rules rules(
      "[extra]\ncall.execute=90,callto,outgoing\nmy.message=10\nother.message=10,x,outgoing,kind,^a\nthird.message=10,x,outgoing,kind,b\n"
      "[outgoing]\n^sip/=to sip\n[my.message]\nmy.*=mine\n");
  CHECK(rules.ask("call.execute", {{"callto", "sip/1"}}).target == "to sip");
  CHECK_FALSE(rules.ask("call.execute", {{"callto", "tone/1"}}).handled);
  CHECK(rules.ask("my.message", {}).target == "mine");
  CHECK(rules.ask("other.message", {{"x", "sip/"}, {"kind", "abc"}}).handled);
  CHECK_FALSE(rules.ask("other.message", {{"x", "sip/"}, {"kind", "b"}}).handled);
  CHECK(rules.ask("third.message", {{"x", "sip/"}, {"kind", "b"}}).handled);
  CHECK_FALSE(rules.ask("third.message", {{"x", "sip/"}, {"kind", "bb"}}).handled);
  // A reload moves, keeps and takes away.
  CHECK_FALSE(rules.host.load("[extra]\ncall.execute=95,callto,outgoing\n[outgoing]\n^sip/=by reload\n"));
  CHECK(rules.ask("call.execute", {{"callto", "sip/1"}}).target == "by reload");
  CHECK_FALSE(rules.ask("my.message", {}).handled);
}

TEST_CASE("rules that enqueue what they answer come to an end, and are named") {
  Rules rules("[extra]\nmy.event=50\n[my.event]\n.*=enqueue my.event\n.*=;$count=$(++$count)\n");
  Message begin("my.event", rules.host.engine().clock().wall());
  CHECK_FALSE(rules.host.ask(begin));
  REQUIRE(rules.host.engine().run_until([&] { return rules.host.engine().logged("is not enqueued"); }));
  rules.host.engine().run_until_idle();
  CHECK(rules.host.engine().bus().queued() == 0);
  CHECK(rules.host.engine().logged("regexroute.conf:4: my.event is not enqueued: rules enqueue what rules enqueued, 100 times"));
}

TEST_CASE("rules that enqueue twice what they answer fill no memory") {
  Rules rules("[extra]\nmy.event=50\n[my.event]\n.*=enqueue my.event\n.*=enqueue my.event\n");
  Message begin("my.event", rules.host.engine().clock().wall());
  CHECK_FALSE(rules.host.ask(begin));
  REQUIRE(rules.host.engine().run_until([&] { return rules.host.engine().logged("10000 messages of rules wait already"); }));
  std::size_t most = 0;
  REQUIRE(rules.host.engine().run_until(
      [&] {
        most = std::max(most, rules.host.engine().bus().queued());
        return rules.host.engine().bus().queued() == 0;
      },
      std::chrono::seconds(60)));
  CHECK(most <= 10'000);
  const auto& lines = rules.host.engine().lines();
  CHECK(std::ranges::count_if(lines, [](const auto& line) { return line.text.find("is not enqueued") != std::string::npos; }) == 1);  // once a second
}

TEST_CASE("a rule that enqueues itself after a sleep is a clock, and goes on") {
  Rules rules("[extra]\nmy.clock=50\n[my.clock]\n.*=msleep 200\n.*=enqueue my.clock\n");
  int told = 0;
  const auto watcher = rules.host.engine().bus().watch("my.clock", [&](const Message&, bool) { ++told; });
  rules.host.engine().bus().enqueue(Message("my.clock", rules.host.engine().clock().wall()));
  for (int i = 0; i < 300; ++i) rules.host.engine().advance(std::chrono::milliseconds(200));
  CHECK(told > 200);
  CHECK_FALSE(rules.host.engine().logged("is not enqueued"));
}

TEST_CASE("enqueue and dispatch make new messages with the parameters of the rule, and the rule goes on") {
  Rules rules("[default]\n^1=enqueue my.event;who=${caller};n=1\n^2=dispatch my.question;who=${caller}\n.*=t\n");
  std::vector<std::string> seen;
  auto listener = rules.host.engine().bus().install({.message = "my.event"}, [&](Message& message) {
    seen.push_back(std::string(message.get("who")) + std::string(message.get("n")));
    return true;
  });
  auto answer = rules.host.engine().bus().install({.message = "my.question"}, [&](Message& message) {
    seen.push_back("asked " + std::string(message.get("who")));
    return true;
  });
  const auto routed = rules.route("1", {{"caller", "7"}});
  rules.host.engine().run_until_idle();
  CHECK(routed.target == "t");
  CHECK_FALSE(routed.message.has("who"));
  CHECK(rules.target("2", {{"caller", "8"}}) == "t");
  CHECK(seen == std::vector<std::string>{"71", "asked 8"});
}

TEST_CASE("a rule that waits: a dispatch that is answered later, and msleep") {
  using namespace std::chrono_literals;
  Rules rules("[default]\n^1=dispatch slow\n^2=msleep 200\n.*=t\n");
  Pendings pendings(rules.host.engine().timers());
  PendingId asked = 0;
  struct Slow {
    static Task<bool> answer(Pending<bool> answer) { co_return (co_await answer.wait()).value_or(false); }
  };
  auto slow = rules.host.engine().bus().install({.message = "slow"}, [&](Message&) -> Verdict {
    auto pending = pendings.open<bool>(10s);
    asked = pending.id();
    return Slow::answer(std::move(pending));
  });
  auto message = rules.host.message("call.route", {{"called", "1"}});
  auto result = std::make_shared<std::optional<bool>>();
  rules.host.engine().spawn("ask", detail::store_result(settle(rules.host.engine().bus().dispatch(message)), result));
  rules.host.engine().run_until_idle();
  CHECK_FALSE(result->has_value());
  CHECK(pendings.complete<bool>(asked, true));
  rules.host.engine().run_until_idle();
  CHECK(result->value() == true);
  CHECK(message.retvalue() == "t");

  auto sleeper = rules.host.message("call.route", {{"called", "2"}});
  auto woken = std::make_shared<std::optional<bool>>();
  rules.host.engine().spawn("ask", detail::store_result(settle(rules.host.engine().bus().dispatch(sleeper)), woken));
  rules.host.engine().advance(190ms);
  CHECK_FALSE(woken->has_value());
  rules.host.engine().advance(30ms);
  CHECK(woken->value() == true);
}

TEST_CASE("a trace names the rules that held, with file and line") {
  Rules rules("[default]\n^2=no\n^1=;a=1\n.*=include sub\n[sub]\n.*=t\n");
  const auto routed = rules.route("1", {{"trace_to_msg", "true"}});
  CHECK(routed["trace_msg_count"] == "3");
  CHECK(routed["trace_msg_0"] == "[default] regexroute.conf:3 ^1=;a=1");
  CHECK(routed["trace_msg_2"] == "[sub] regexroute.conf:6 .*=t");
  CHECK_FALSE(rules.route("1").message.has("trace_msg_count"));
}

TEST_CASE("every fault is found before the file is used, each with its line") {
  const auto problems = problems_of(
      "[default]\n\\(=x\n.*=${open\n.*=$(nothing,1)\n.*=$(length)\n}\n^1={\n.*=if x\n[extra]\nmy.message=10\nother=first,x\n");
  std::vector<int> lines;
  for (const auto& problem : problems) {
    CAPTURE(problem.text);
    CHECK(problem.severity == Problem::Severity::error);
    lines.push_back(problem.where.line);
  }
  std::ranges::sort(lines);
  CHECK(lines == std::vector<int>{2, 3, 4, 5, 6, 7, 8, 10, 11});
}

TEST_CASE("a named context that is not there is a warning; a back-reference needs its key") {
  const auto problems = problems_of("[default]\n.*=include nowhere\n.*=@include nowhere\n");
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].severity == Problem::Severity::warning);
  CHECK(problems[0].where.line == 2);
  CHECK(problems_of("[default]\n\\(.\\)\\1=x\n").size() == 1);
  CHECK(problems_of("[priorities]\nbackrefs=yes\n[default]\n\\(.\\)\\1=x\n").empty());
}

TEST_CASE("a file with faults does not replace the rules in force") {
  Rules rules("[default]\n.*=good\n");
  CHECK(rules.host.load("[default]\n\\(=bad\n").has_value());
  CHECK(rules.target("1") == "good");
}

namespace {

/// Answers user.registered for these users: at once, or when the test says so.
struct Registrations {
  explicit Registrations(ModuleHost& host, bool waits = false) : pendings(host.engine().timers()) {
    handler = host.engine().bus().install({.message = "user.registered"}, [this, waits](Message& message) -> Verdict {
      asked.emplace_back(message.get("username"));
      if (!waits) return asked.back() == "101";
      return later(this, asked.back());
    });
  }
  static Task<bool> later(Registrations* self, std::string user) {
    auto pending = self->pendings.open<bool>(std::chrono::milliseconds(1));
    co_await pending.wait();
    co_return user == "101";
  }
  Pendings pendings;
  std::vector<std::string> asked;
  Bus::Subscription handler;
};

constexpr const char* kByRegistration =
    "[default]\n"
    "^\\(1..\\)$=if $(registered,${called})=here/${called}\n"
    "^1..$=if $(registered,${called})^=or $(registered,101)=there/${called};n=$(++$n)\n"
    ".*=nowhere\n";

}  // namespace

TEST_CASE("BR-15: a rule tests whether a user is registered, and asks once a call") {
  for (const bool waits : {false, true}) {
    CAPTURE(waits);
    Rules rules(kByRegistration);
    Registrations registrations(rules.host, waits);
    const auto route = [&](std::string_view called) {
      auto message = rules.host.message("call.route", {});
      message.set("called", called);
      auto result = std::make_shared<std::optional<bool>>();
      rules.host.engine().spawn("ask", detail::store_result(settle(rules.host.engine().bus().dispatch(message)), result));
      for (int i = 0; i < 10 && !result->has_value(); ++i) rules.host.engine().advance(std::chrono::milliseconds(1));
      REQUIRE(result->has_value());
      return std::string(message.retvalue());
    };
    CHECK(route("101") == "here/101");
    CHECK(registrations.asked == std::vector<std::string>{"101"});
    registrations.asked.clear();
    CHECK(route("102") == "there/102");
    CHECK(registrations.asked == std::vector<std::string>{"102"});
    registrations.asked.clear();
    CHECK(route("2") == "there/2");  // strictly from left to right: what is joined with `and` to something false is not asked
    CHECK(registrations.asked == std::vector<std::string>{"101"});
  }
}

TEST_CASE("BR-15: where nobody knows who is registered, nobody is") { CHECK(Rules(kByRegistration).target("101") == "there/101"); }

TEST_CASE("BR-15: a rehearsal asks who is registered of those alone that promise to change nothing, and nobody who watches hears of it") {
  Rules rules(kByRegistration);
  const Registrations careless(rules.host);
  std::string asked;
  const auto careful = rules.host.engine().bus().install({.message = "user.registered", .priority = 200, .track = "", .dry_run = true}, [&](Message& message) {
    asked = fmt::format("{} {}", message.get("username"), message.get("dry_run"));
    return message.get("username") == "102";
  });
  int watched = 0;
  const auto watcher = rules.host.engine().bus().watch("user.registered", [&](const Message&, bool) { ++watched; });
  const auto rehearse = [&](std::string_view called) {
    auto message = rules.host.message("call.route", {});
    message.set("called", called);
    DispatchRecord record;
    REQUIRE(rules.host.engine().run(rules.host.engine().bus().rehearse(message, record)).value());
    return std::string(message.retvalue());
  };
  CHECK(rehearse("102") == "here/102");
  CHECK(asked == "102 true");
  CHECK(rehearse("101") == "there/101");  // who knows 101 is not asked
  CHECK(careless.asked.empty());
  CHECK(watched == 0);
  CHECK(rules.target("101") == "here/101");
  CHECK(watched == 1);
}

TEST_CASE("whether a user is registered is a condition: elsewhere the file is refused with its line") {
  for (const char* wrong : {"[default]\n.*=$(registered,101)\n", "[default]\n.*=x;a=$(registered,101)\n", "[default]\n.*=x;a=${b$$(registered,1)}\n"}) {
    CAPTURE(wrong);
    const auto problems = problems_of(wrong);
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].where.line == 2);
    CHECK(problems[0].text.find("left side") != std::string::npos);
  }
}

TEST_CASE("rules that dispatch what they answer come to an end, and say where") {
  Rules rules("[extra]\nmy.message=100\n[my.message]\n.*=;$depth=$(dispatching)\n.*=dispatch my.message\n[default]\n.*=dispatch my.message\n");
  rules.route("1");
  CHECK(rules.host.engine().logged("regexroute.conf:5: my.message is not dispatched"));
  Rules shown("[extra]\nmy.message=100\n[my.message]\n.*=;$depth=$(dispatching)\n[default]\n.*=dispatch my.message\n.*=$(depth) $(dispatching)\n");
  CHECK(shown.target("1") == "1 0");
}

TEST_CASE("sections that include one another over and over are given up") {
  std::string text = "[priorities]\nmaxdepth=100\n[default]\n";
  for (int i = 0; i < 4; ++i) text += ".*=include default\n";
  Rules rules(text);
  CHECK(rules.target("1") == "");
  CHECK(rules.host.engine().logged("given up after"));
}

TEST_CASE("what rules make of callers' names and of themselves has an end") {
  Rules many("[default]\n.*=;$seen_\\0=1\n.*=$(variables,count)\n");
  for (int i = 0; i < 100; ++i) many.route(std::to_string(i));
  CHECK(many.target("0") == "100");
  Rules longer("[$init]\nv=x\n[default]\n.*=;$v=$(v)$(v)\n.*=$(length,$v)\n");
  for (int i = 0; i < 40; ++i) longer.route("1");
  CHECK(longer.target("1") == "65536");
}
