// register.conf: every handler has a switch of its own (YT-15), and a reload turns it.
#include "unit/register/fixture.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::register_test;

namespace {

struct Switch {
  std::string_view key, message, section;
};
constexpr Switch kSwitches[] = {
    {"user.auth", "user.auth", "user.auth"},       {"user.register", "user.register", "user.register"}, {"user.unregister", "user.unregister", "user.unregister"},
    {"user.bindings", "user.bindings", "user.bindings"}, {"engine.timer", "engine.timer", "engine.timer"},    {"call.preroute", "call.preroute", "call.preroute"},
    {"call.route", "call.route", "call.route"},    {"call.cdr", "call.cdr", "call.cdr"},                {"linetracker", "call.cdr", "linetracker"}};

std::string with(std::string_view general) {
  std::string text = fmt::format("[general]\n{}[default]\naccount=db\npriority=42\n", general);
  for (const auto& one : kSwitches) text += fmt::format("[{}]\nquery=Q ${{username}}\n", one.section);
  return text;
}

std::vector<int> priorities(Site& site, std::string_view message) {
  std::vector<int> out;
  for (const auto& handler : site.engine().bus().handlers(message))
    if (handler.track == "register") out.push_back(handler.priority);
  return out;
}

}  // namespace

TEST_CASE("YT-15 each message is asked of the database only when its key says so, and a reload changes it") {
  for (const auto& one : kSwitches) {
    CAPTURE(one.key);
    Site site(with(fmt::format("{}=yes\n", one.key)));
    CHECK(priorities(site, one.message) == std::vector<int>{42});
    for (const auto& other : kSwitches)
      if (other.message != one.message) CHECK(priorities(site, other.message).empty());
    site.reload(with({}));
    CHECK(priorities(site, one.message).empty());
    site.reload(with(fmt::format("{}=yes\n", one.key)));
    CHECK(priorities(site, one.message) == std::vector<int>{42});
  }
}

TEST_CASE("YT-15 fallback has three parts, each with a switch of its own") {
  Site site(with("fallback=yes\n"));
  for (const auto* message : {"chan.disconnected", "call.answered", "chan.hangup"}) CHECK(priorities(site, message) == std::vector<int>{42});
  site.reload(with("fallback=yes\ncall.answered=no\n"));
  CHECK(priorities(site, "call.answered").empty());
  CHECK(priorities(site, "chan.hangup").size() == 1);
  site.reload(with("chan.disconnected=yes\n"));
  CHECK(priorities(site, "chan.disconnected").size() == 1);
  CHECK(priorities(site, "chan.hangup").empty());
}

TEST_CASE("a section's own priority and account come before those of [default]") {
  Site site("[general]\nuser.auth=yes\ncall.route=yes\n[default]\naccount=db\npriority=42\n[user.auth]\npriority=30\naccount=other\nquery=A ${username}\n[call.route]\nquery=C\n");
  CHECK(priorities(site, "user.auth") == std::vector<int>{30});
  CHECK(priorities(site, "call.route") == std::vector<int>{42});
  auto who = site.message("user.auth", {{"username", "101"}});
  (void)site.ask(who);
  CHECK(site.database().asked.back().account == "other");
}

TEST_CASE("a handler that is switched on without a query stays off and is named; one without an account is an error") {
  const auto idle = problems_of("[general]\nuser.auth=yes\ncall.cdr=yes\n[default]\naccount=db\n");
  REQUIRE(idle.size() == 2);
  for (const auto& problem : idle) CHECK(problem.severity == Problem::Severity::warning);
  const auto nowhere = problems_of("[general]\nuser.auth=yes\n[user.auth]\nquery=Q\n");
  REQUIRE(nowhere.size() == 1);
  CHECK(nowhere.front().severity == Problem::Severity::error);
  CHECK(nowhere.front().text.find("account") != std::string::npos);
}

TEST_CASE("what Yate's module does and this one does not is named") {
  const auto problems = problems_of("[general]\nsubscriptions=yes\nresource.notify=no\n");
  REQUIRE(problems.size() == 1);
  CHECK(problems.front().text.find("subscriptions") != std::string::npos);
}

TEST_CASE("YT-18 @query: the text of a query comes from the database, and is asked for anew after a reload") {
  Site site("[general]\nuser.auth=yes\n[default]\naccount=db\n[user.auth]\nresult=password\nquery=@SELECT text FROM queries WHERE name='auth'\n");
  std::string text = "FIRST ${username}";
  site.database().says = [&](const Asked& asked) {
    if (asked.query.starts_with("SELECT text")) return Reply{.columns = {"text"}, .rows = {{text}}};
    return Reply{.columns = {"password"}, .rows = {{"secret"}}};
  };
  const auto who = [&] {
    auto message = site.message("user.auth", {{"username", "101"}});
    return site.ask(message);
  };
  CHECK(who());
  CHECK(who());
  CHECK(site.database().texts() == std::vector<std::string>{"SELECT text FROM queries WHERE name='auth'", "FIRST 101", "FIRST 101"});
  text = "SECOND ${username}";
  site.reload("[general]\nuser.auth=yes\n[default]\naccount=db\n[user.auth]\nresult=password\nquery=@SELECT text FROM queries WHERE name='auth'\n");
  CHECK(who());
  CHECK(site.database().texts().back() == "SECOND 101");
}

TEST_CASE("@query must give one row with one column") {
  Site site("[general]\nuser.auth=yes\n[default]\naccount=db\n[user.auth]\nquery=@Q\n");
  for (const auto& reply : {Reply{.columns = {"a"}, .rows = {}}, Reply{.columns = {"a", "b"}, .rows = {{"1", "2"}}}, Reply{.columns = {"a"}, .rows = {{Cell{}}}}}) {
    site.database().says = [&](const Asked&) { return reply; };
    auto who = site.message("user.auth", {{"username", "101"}});
    CHECK_FALSE(site.ask(who));
    CHECK(who.get("error") == "failure");
  }
  CHECK(site.engine().logged("must give one row with one column"));
}

TEST_CASE("an initquery runs once at the start, as soon as the database is there") {
  const std::string text = "[general]\nuser.register=yes\n[default]\naccount=db\n[user.register]\nquery=Q\ninitquery=CLEAN ${nodename}\n";
  Site site(text);
  CHECK(site.database().texts() == std::vector<std::string>{"CLEAN test"});
  site.reload(text);
  CHECK(site.database().asked.size() == 1);

  site.stop();
  site.database().asked.clear();
  site.database().says = [](const Asked&) { return Reply::failed("away"); };
  site.start();
  site.database().says = nullptr;
  site.engine().advance(5s);
  CHECK(site.database().asked.size() == 2);
}

TEST_CASE("the shipped queries need an account that is somebody's, and name no parameter that messages do not have") {
  // The sample's lines that are in force, as `jackfield settings register` prints them.
  const auto& keys = *jackfield_module.keys;
  std::string text;
  for (const auto& section : keys.sections)
    if (!section.preset.empty()) text += fmt::format("[{}]\n{}\n", section.name, section.preset);
  CHECK(problems_of(text).empty());
  Site site(text);
  for (const auto& one : kSwitches) CHECK(priorities(site, one.message).size() == (one.message == "call.cdr" ? 2 : 1));
}
