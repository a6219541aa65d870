#include <doctest/doctest.h>

#include "questions/explain.h"
#include "questions/question.h"
#include "questions/route.h"
#include "support/test_engine.h"

#include <ctime>

using namespace jackfield;
using namespace jackfield::questions;

namespace {

std::vector<std::string> words(std::string_view line) {
  const auto parsed = parse_words(line);
  REQUIRE(parsed);
  return *parsed;
}

tl::expected<RouteQuestion, std::string> question(std::string_view line) { return parse_route_question(words(line), WallTime(std::chrono::seconds(1700000000))); }

std::string local_text(WallTime time) {
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm local{};
  localtime_r(&seconds, &local);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &local);
  return text;
}

}  // namespace

TEST_CASE("words are parted by blanks, save in quotes, and quoted words come back as they were") {
  CHECK(words("  a b\tc ") == std::vector<std::string>{"a", "b", "c"});
  CHECK(words(R"(a="b c" "" d\ e "\"")") == std::vector<std::string>{"a=b c", "", "d e", "\""});
  CHECK(words("") == std::vector<std::string>{});
  CHECK_FALSE(parse_words("\"open"));
  for (const std::string_view word : {"", "plain", "two words", "a\"b", "back\\slash", "\\\"", " ", "name=\"x y\""})
    CHECK(words(quoted_word(word)) == std::vector<std::string>{std::string(word)});
}

TEST_CASE("N-4 a question about a route is what was typed") {
  const auto asked = question("102 --caller 101 --address=192.0.2.7:5060 --time 2026-01-31T18:30 context=sales note=a=b");
  REQUIRE(asked);
  CHECK(asked->called == "102");
  CHECK(asked->caller == "101");
  CHECK(asked->address == "192.0.2.7:5060");
  CHECK(local_text(asked->time.value()) == "2026-01-31T18:30:00");
  CHECK(asked->parameters == std::vector<std::pair<std::string, std::string>>{{"context", "sales"}, {"note", "a=b"}});
  CHECK_FALSE(question("102").value().time);
  CHECK(local_text(question("102 --time 06:05").value().time.value()).ends_with("T06:05:00"));
  for (const std::string_view wrong : {"", "--caller 101", "1 2", "1 --caller", "1 --nothing 2", "1 --time noon", "1 --time 2026-13-01T00:00", "1 --time 18:30x"})
    CHECK_FALSE_MESSAGE(question(wrong), std::string(wrong));
}

TEST_CASE("N-4 a route is rehearsed as sip routes a call: the account, call.preroute, call.route") {
  TestEngine engine;
  std::vector<Bus::Subscription> handlers;
  const auto handle = [&](std::string message, Handler handler) {
    handlers.push_back(engine.bus().install({.message = std::move(message), .priority = 50, .track = "t", .dry_run = true}, std::move(handler)));
  };
  handle("user.auth", [](Message& m) {
    m.set("context", "sales").set("ha1_md5", "5ecre7").set("authfail_code", "403").set_retvalue("5ecre7");
    return m.get("username") == "101";
  });
  handle("call.preroute", [](Message& m) {
    if (m.get("caller") == "900") return m.set("error", "forbidden").set_retvalue("-"), true;
    return m.set("seen", m.get("context")), false;
  });
  handle("call.route", [](Message& m) {
    if (m.get("called") != "102" || m.has("ha1_md5") || m.has("authfail_code")) return false;
    m.set_retvalue(fmt::format("sip/{}@{}:{}", m.get("seen"), m.get("ip_host"), m.get("ip_port")));
    return true;
  });
  const auto ask = [&](std::string_view line) { return engine.run(rehearse_route(engine, question(line).value())).value(); };
  CHECK(ask("102 --caller 101 --address 192.0.2.7:5070 username=101").ends_with("goes to: sip/sales@192.0.2.7:5070\n"));
  CHECK(ask("102 --caller 101 --address [2001:db8::1]:5070 context=mine").ends_with("goes to: sip/mine@2001:db8::1:5070\n"));
  CHECK(ask("102 --caller 101 username=101 context=mine").ends_with("goes to: sip/mine@:\n"));
  CHECK(ask("102 --caller 101 username=101").find("5ecre7") == std::string::npos);
  CHECK(ask("103 --caller 101").ends_with("refused: error=noroute\n"));
  const auto refused = ask("102 --caller 900");
  CHECK(refused.ends_with("refused: error=forbidden\n"));
  CHECK(refused.find("call.route") == std::string::npos);
}

TEST_CASE("N-4 a call is explained by any of its names, and a user by his registrations and calls") {
  TestEngine engine;
  engine.recorder().set_room(1 << 20, 1 << 20);
  const auto say = [&](std::string_view name, std::initializer_list<Parameter> parameters) {
    Message message(name, engine.clock().wall());
    for (const auto& [parameter, value] : parameters) message.set(parameter, value);
    (void)engine.bus().dispatch(message);
    engine.advance(std::chrono::milliseconds(10));
  };
  say("user.auth", {{"username", "101"}, {"method", "REGISTER"}, {"sip_callid", "reg-1"}});
  say("user.auth", {{"username", "101"}, {"method", "INVITE"}, {"sip_callid", "call-1"}, {"response", "5ecre7"}});
  say("chan.startup", {{"id", "sip/1"}, {"billid", "1-1"}, {"sip_callid", "call-1"}, {"caller", "101"}, {"called", "102"}});
  say("call.route", {{"id", "sip/1"}, {"billid", "1-1"}, {"caller", "101"}, {"called", "102"}});
  say("chan.startup", {{"id", "sip/2"}, {"billid", "1-1"}, {"sip_callid", "call-2"}});
  say("chan.startup", {{"id", "sip/3"}, {"billid", "1-2"}, {"sip_callid", "call-3"}, {"caller", "103"}, {"called", "104"}});
  const auto whole = explain(engine.recorder(), "1-1");
  CHECK(whole.found);
  CHECK(whole.text.starts_with("call 1-1: sip/1 (Call-ID call-1), sip/2 (Call-ID call-2)\n"));
  CHECK(whole.text.find("user.auth") < whole.text.find("chan.startup"));
  CHECK(whole.text.find("sip/3") == std::string::npos);
  CHECK(whole.text.find("reg-1") == std::string::npos);
  CHECK(whole.text.find("5ecre7") == std::string::npos);
  for (const std::string_view name : {"sip/1", "sip/2", "call-1", "call-2"}) CHECK(explain(engine.recorder(), name).text == whole.text);
  for (const std::string_view aor : {"101", "101@example.com", "sip:101@example.com"}) {
    const auto user = explain(engine.recorder(), aor);
    CHECK(user.found);
    CHECK(user.text.find("sip_callid=reg-1") != std::string::npos);
    CHECK(user.text.find("chan.startup") == std::string::npos);
    CHECK(user.text.find("101 -> 102  `explain 1-1`") != std::string::npos);
  }
  CHECK_FALSE(explain(engine.recorder(), "105").found);
  CHECK_FALSE(explain(engine.recorder(), "").found);
  for (int i = 0; i < 200; ++i) say("call.ringing", {{"id", "sip/2"}, {"billid", "1-1"}});
  const auto last = explain(engine.recorder(), "1-1"), all = explain(engine.recorder(), "1-1", true);
  CHECK(last.text.find("84 earlier records are left out") != std::string::npos);
  CHECK(all.text.size() > last.text.size());
}

TEST_CASE("N-4 what is shown of a message holds nothing that a terminal or a thief could use") {
  TestEngine engine;
  engine.recorder().set_room(1 << 20, 0);
  Message message("chan.startup", engine.clock().wall());
  message.set("id", "sip/1").set("billid", "1-1").set("callername", "\x1b[31mred\r\nBell\a").set("trunk_password", "5ecre7").set("sip_authorization", "5ecre7");
  (void)engine.bus().dispatch(message);
  const auto text = explain(engine.recorder(), "1-1").text;
  CHECK(text.find("trunk_password=***") != std::string::npos);
  CHECK(text.find("sip_authorization=***") != std::string::npos);
  CHECK(text.find("5ecre7") == std::string::npos);
  for (const char c : text) CHECK((static_cast<unsigned char>(c) >= 32 || c == '\n'));
}
