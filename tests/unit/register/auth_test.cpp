// user.auth from the database: COMPAT §5, DECISIONS D1.
#include "unit/register/fixture.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::register_test;

namespace {

std::string configuration(std::string_view more = {}, std::string_view general = {}) {
  return fmt::format("[general]\nuser.auth=yes\n{}[default]\naccount=db\n[user.auth]\nresult=password\nquery=SELECT password, more FROM users WHERE username='${{username}}'\n{}",
                     general, more);
}

struct Users : Site {
  explicit Users(std::string_view more = {}, std::string_view general = {}) : Site(configuration(more, general)) {}
  Message who(std::string_view username = "101") const { return message("user.auth", {{"protocol", "sip"}, {"username", username}, {"nonce", "n-1"}}); }
  void has(std::vector<std::string> columns, std::vector<std::vector<Cell>> rows) {
    database().says = [columns, rows](const Asked&) { return Reply{.columns = columns, .rows = rows}; };
  }
};

}  // namespace

TEST_CASE("YT-13 user.auth: the result column is the password, the others are parameters, NULL is none") {
  Users users;
  users.has({"password", "number", "alternatives"}, {{"secret", "555101", std::nullopt}});
  auto who = users.who();
  CHECK(users.ask(who));
  CHECK(who.retvalue() == "secret");
  CHECK(who.get("number") == "555101");
  CHECK_FALSE(who.has("alternatives"));
  CHECK_FALSE(who.has("password"));
  CHECK(users.database().asked.front().account == "db");
}

TEST_CASE("YT-13 user.auth: nobody of that name is left to other handlers") {
  Users users;
  users.has({"password"}, {});
  auto who = users.who();
  CHECK_FALSE(users.ask(who));
  CHECK_FALSE(who.has("error"));
}

TEST_CASE("YT-18 what the network says goes to the database as a value, never as text") {
  Users users;
  users.has({"password"}, {});
  auto who = users.who("o'ne\\ ${nonce} $1 %s");
  CHECK_FALSE(users.ask(who));
  const auto& asked = users.database().asked.front();
  CHECK(asked.query == "SELECT password, more FROM users WHERE username='${username}'");
  CHECK(asked.values.at("username") == "o'ne\\ ${nonce} $1 %s");
}

TEST_CASE("user.auth: a query without the result column refuses the user and says so in the log") {
  Users users;
  users.has({"other"}, {{"secret"}});
  auto who = users.who();
  CHECK(users.ask(who));
  CHECK(who.retvalue() == "-");
  CHECK(who.get("error") == "failure");
  CHECK(users.engine().logged("event=no-column section=user.auth column=password"));
}

TEST_CASE("D1 a NULL or empty password lets nobody in, and the user is named once") {
  for (const Cell& none : {Cell{}, Cell{""}}) {
    Users users;
    users.has({"password"}, {{none}});
    for (int i = 0; i < 2; ++i) {
      auto who = users.who();
      CHECK(users.ask(who));
      CHECK(who.retvalue() == "-");
      CHECK(who.get("error") == "forbidden");
    }
    CHECK(users.engine().logged("event=no-password user=101"));
    CHECK(std::ranges::count_if(users.engine().lines(), [](const LoggedLine& line) { return line.text.find("no-password") != std::string::npos; }) == 1);
  }
}

TEST_CASE("D1 allow_empty_password is Yate's way") {
  Users users({}, "allow_empty_password=yes\n");
  users.has({"password"}, {{Cell{}}});
  auto who = users.who();
  CHECK(users.ask(who));
  CHECK(who.retvalue().empty());
}

TEST_CASE("D1 hashes are parameters, and enough without a password") {
  Users users;
  users.has({"password", "ha1_md5", "ha1_realm"}, {{Cell{}, "00112233445566778899aabbccddeeff", "Yate"}});
  auto who = users.who();
  CHECK(users.ask(who));
  CHECK(who.retvalue().empty());
  CHECK(who.get("ha1_md5") == "00112233445566778899aabbccddeeff");
  CHECK(who.get("ha1_realm") == "Yate");
}

TEST_CASE("with an empty result= hashes are all there is") {
  Users users("result=\n");  // the first of a repeated key counts
  users.reload("[general]\nuser.auth=yes\n[default]\naccount=db\n[user.auth]\nresult=\nquery=SELECT ha1_md5 FROM users WHERE username='${username}'\n");
  users.has({"ha1_md5"}, {{"00112233445566778899aabbccddeeff"}});
  auto who = users.who();
  CHECK(users.ask(who));
  CHECK(who.get("ha1_md5") == "00112233445566778899aabbccddeeff");
  users.has({"ha1_md5"}, {{Cell{}}});
  auto other = users.who();
  CHECK(users.ask(other));
  CHECK(other.retvalue() == "-");
}

TEST_CASE("before a challenge nobody is named: a query for a name is not asked, one for an address is") {
  Users users;
  auto nobody = users.message("user.auth", {{"ip_host", "10.0.0.9"}});
  CHECK_FALSE(users.ask(nobody));
  CHECK(users.database().asked.empty());

  users.reload("[general]\nuser.auth=yes\n[default]\naccount=db\n[user.auth]\nresult=password\nquery=SELECT '' AS password, username FROM hosts WHERE ip='${ip_host}'\n");
  users.has({"password", "username"}, {{"", "gateway"}});
  auto source = users.message("user.auth", {{"ip_host", "10.0.0.9"}});
  CHECK(users.ask(source));
  CHECK(source.retvalue().empty());
  CHECK(source.get("username") == "gateway");
}

TEST_CASE("auth_register=false is somebody's word that the database is not asked") {
  Users users;
  auto who = users.who();
  who.set("auth_register", "false");
  CHECK_FALSE(users.ask(who));
  CHECK(users.database().asked.empty());
}

TEST_CASE("an account may be the message's to name") {
  Users users("account=${domain}\n");
  auto who = users.who();
  who.set("domain", "example.org");
  (void)users.ask(who);
  CHECK(users.database().asked.front().account == "example.org");
}

TEST_CASE("a question says how long it may take") {
  Users users("deadline=700ms\n");
  auto who = users.who();
  (void)users.ask(who);
  CHECK(users.database().asked.front().deadline == 700);
}

// --- no answer

TEST_CASE("without an answer the user is refused with a failure, unless another handler knows him") {
  for (const std::string failure : {"away", "late", "query"}) {
    Users users;
    users.database().says = [&](const Asked&) { return Reply::failed(failure); };
    auto who = users.who();
    CHECK_FALSE(users.ask(who));
    CHECK(who.retvalue() == "-");
    CHECK(who.get("error") == "failure");

    const auto other = users.engine().bus().install({.message = "user.auth", .priority = 100}, [](Message& message) {
      message.set_retvalue("from a file");
      return true;
    });
    auto again = users.who();
    CHECK(users.ask(again));
    CHECK(again.retvalue() == "from a file");
  }
}

TEST_CASE("YT-18 a name that the database cannot hold is nobody's, and no failure of the database") {
  Users users;
  users.database().says = [](const Asked&) { return Reply::failed("value"); };
  auto who = users.who("\xbf'");
  CHECK_FALSE(users.ask(who));
  CHECK_FALSE(who.has("error"));
  CHECK(who.retvalue().empty());
}

TEST_CASE("an account that nobody serves is a database that is away") {
  Users users;
  users.reload("[general]\nuser.auth=yes\n[default]\naccount=nobody\n[user.auth]\nquery=SELECT password FROM users WHERE username='${username}'\n");
  auto who = users.who();
  CHECK_FALSE(users.ask(who));
  CHECK(who.get("error") == "failure");
  CHECK(users.engine().logged("no loaded module serves the account"));
}

TEST_CASE("on_fail=pass: as if the module were not there") {
  Users users("on_fail=pass\n");
  users.database().says = [](const Asked&) { return Reply::failed("away"); };
  auto who = users.who();
  CHECK_FALSE(users.ask(who));
  CHECK(who.retvalue().empty());
  CHECK_FALSE(who.has("error"));
}

TEST_CASE("N-8 cache_stale: while the database is away its last answer to the same question holds, for that long") {
  Users users("cache_stale=60\n");
  users.has({"password"}, {{"secret"}});
  auto first = users.who();
  CHECK(users.ask(first));
  users.database().says = [](const Asked&) { return Reply::failed("late"); };

  auto known = users.who();
  known.set("nonce", "n-2");  // another moment, the same question
  CHECK(users.ask(known));
  CHECK(known.retvalue() == "secret");
  auto unknown = users.who("102");
  CHECK_FALSE(users.ask(unknown));
  CHECK(unknown.get("error") == "failure");

  SUBCASE("not asked again at once, but a second later") {
    const auto count = users.database().asked.size();
    auto again = users.who();
    CHECK(users.ask(again));
    CHECK(users.database().asked.size() == count);
    users.engine().advance(1100ms);
    auto later = users.who();
    CHECK(users.ask(later));
    CHECK(users.database().asked.size() == count + 1);
  }
  SUBCASE("no longer than cache_stale") {
    users.engine().advance(61s);
    auto late = users.who();
    CHECK_FALSE(users.ask(late));
  }
  SUBCASE("a refusal by the database is no absence") {
    users.engine().advance(2s);
    users.database().says = [](const Asked&) { return Reply::failed("query"); };
    auto refused = users.who();
    CHECK_FALSE(users.ask(refused));
  }
  SUBCASE("who was removed is not remembered") {
    users.engine().advance(2s);
    users.has({"password"}, {});
    auto gone = users.who();
    CHECK_FALSE(users.ask(gone));
    users.database().says = [](const Asked&) { return Reply::failed("away"); };
    auto still = users.who();
    CHECK_FALSE(users.ask(still));
  }
}

TEST_CASE("the cache keeps no more than cache_max answers: what was not used for longest goes first") {
  Users users("cache_stale=60\n", "cache_max=2\n");
  users.has({"password"}, {{"secret"}});
  for (const auto* name : {"101", "102", "101", "103"}) {
    auto who = users.who(name);
    CHECK(users.ask(who));
  }
  users.database().says = [](const Asked&) { return Reply::failed("away"); };
  const auto known = [&](std::string_view name) {
    auto who = users.who(name);
    return users.ask(who);
  };
  CHECK(known("101"));
  CHECK(known("103"));
  CHECK_FALSE(known("102"));
}

TEST_CASE("on_fail=cached without cache_stale= is a mistake that is named") {
  const auto problems = problems_of(configuration("on_fail=cached\n"));
  REQUIRE(problems.size() == 1);
  CHECK(problems.front().severity == Problem::Severity::error);
  CHECK(problems.front().text.find("cache_stale=") != std::string::npos);
}

TEST_CASE("complaints about a database that is away are counted, not repeated") {
  Users users;
  users.database().says = [](const Asked&) { return Reply::failed("away"); };
  for (int i = 0; i < 5; ++i) {
    auto who = users.who();
    (void)users.ask(who);
  }
  users.engine().advance(11s);
  auto who = users.who();
  (void)users.ask(who);
  CHECK(std::ranges::count_if(users.engine().lines(), [](const LoggedLine& line) { return line.text.find("event=no-answer") != std::string::npos; }) == 2);
  CHECK(users.engine().logged("more=4"));
}

TEST_CASE("who waits for the database holds nothing: others are answered meanwhile, and the module may end") {
  Users users;
  users.database().holds = true;
  std::vector<bool> verdicts;
  for (const auto* name : {"101", "102"})
    users.engine().bus().enqueue(users.who(name), [&](Message&, bool handled) { verdicts.push_back(handled); });
  users.engine().run_until_idle();
  CHECK(users.database().waiting() == 2);
  users.stop();
  users.has({"password"}, {{"secret"}});
  users.database().release();
  CHECK(verdicts == std::vector<bool>{true, true});
}
