// [accounts] (COMPAT §5): rows of a database become user.login, and what becomes of them is written back.
#include "unit/register/fixture.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::register_test;

namespace {

/// Yate's sample, as it is shipped with the queries' marks of comment taken away.
constexpr std::string_view kYates =
    "[general]\naccounts=yes\nexpires=30\n[default]\naccount=db\n"
    "[accounts]\n"
    "initquery=UPDATE accounts SET modified=1 WHERE enabled IS NOT NULL AND enabled AND username IS NOT NULL AND username<>''\n"
    "timerquery=SELECT enabled, protocol, username, description, 'interval', formats, authname, password, server, domain, outbound, localaddress, modified, account, "
    "account AS internalaccount, CASE WHEN modified > 0 THEN 'login' ELSE 'logout' END AS operation FROM accounts WHERE modified IS NOT NULL AND modified <> 0; "
    "UPDATE accounts SET modified=0 WHERE modified IS NOT NULL AND modified <> 0\n"
    "statusquery=UPDATE accounts SET status='${status}' WHERE account='${internalaccount}'\n";

class Logins {
 public:
  explicit Logins(TestEngine& engine) {
    handler_ = engine.bus().install({.message = "user.login"}, [this](Message& login) -> Verdict {
      seen.push_back(fmt::format("{} {} {} {}", login.get("operation"), login.get("account"), login.get("username"), login.get("password")));
      return true;
    });
  }
  std::vector<std::string> seen;

 private:
  Bus::Subscription handler_;
};

void tick(Site& site, int seconds = 1) {
  for (int i = 0; i < seconds; ++i) {
    auto timer = site.message("engine.timer");
    timer.set_broadcast(true);
    site.ask(timer);
    site.engine().run_until_idle();
    site.engine().advance(1s);
  }
}

Reply rows_of(std::vector<std::vector<Cell>> rows) {
  return {.columns = {"account", "operation", "protocol", "username", "password"}, .rows = std::move(rows)};
}

}  // namespace

TEST_CASE("accounts: Yate's sample queries: the initquery at the first timer, the timerquery each `expires`; every row is a user.login") {
  Site site{std::string(kYates)};
  Logins logins(site.engine());
  site.database().says = [](const Asked& asked) {
    if (asked.query.starts_with("UPDATE accounts SET modified=1")) return Reply::wrote(2);
    return rows_of({{"one", "login", "sip", "101", "p"}, {"two", "logout", "sip", "102", std::nullopt}});
  };
  tick(site);
  REQUIRE(site.database().asked.size() == 1);
  CHECK(site.database().asked[0].query.starts_with("UPDATE accounts SET modified=1"));
  CHECK(logins.seen.empty());
  tick(site, 28);
  CHECK(site.database().asked.size() == 1);
  tick(site, 3);
  REQUIRE(site.database().asked.size() == 2);
  CHECK(site.database().asked[1].query.starts_with("SELECT enabled"));
  CHECK(logins.seen == std::vector<std::string>{"login one 101 p", "logout two 102 "});
  tick(site, 30);
  CHECK(site.database().asked.size() == 3);
}

TEST_CASE("accounts: the statusquery says what became of an account of ours, and the status line all of them") {
  Site site{std::string(kYates)};
  Logins logins(site.engine());
  site.database().says = [](const Asked& asked) {
    return asked.query.starts_with("SELECT") ? rows_of({{"one", "login", "sip", "101", "p"}}) : Reply::wrote(1);
  };
  tick(site, 32);
  REQUIRE(logins.seen.size() == 1);
  site.database().asked.clear();
  const auto notify = [&](std::string_view account, std::string_view registered) {
    auto told = site.message("user.notify", {{"account", account}, {"registered", registered}});
    site.ask(told);
    site.engine().run_until_idle();
  };
  notify("one", "true");
  notify("somebody else's", "true");
  notify("one", "false");
  CHECK(site.database().texts() == std::vector<std::string>{"UPDATE accounts SET status='online' WHERE account='one'", "UPDATE accounts SET status='offline' WHERE account='one'"});
  CHECK(site.status().find(",one(sip)=false") != std::string::npos);
  notify("one", "true");
  CHECK(site.status().find(",one(sip)=true") != std::string::npos);
}

TEST_CASE("accounts: an account that is logged out is told of as offline, once, and is then no longer of ours") {
  Site site{std::string(kYates)};
  Logins logins(site.engine());
  std::string operation = "login";
  site.database().says = [&](const Asked& asked) {
    return asked.query.starts_with("SELECT") ? rows_of({{"one", operation, "sip", "101", "p"}}) : Reply::wrote(1);
  };
  tick(site, 32);
  operation = "logout";
  tick(site, 30);
  REQUIRE(logins.seen.back() == "logout one 101 p");
  CHECK(site.status().find("one(sip)") == std::string::npos);
  site.database().asked.clear();
  for (int i = 0; i < 2; ++i) {
    auto told = site.message("user.notify", {{"account", "one"}, {"registered", "false"}});
    site.ask(told);
    site.engine().run_until_idle();
  }
  CHECK(site.database().texts() == std::vector<std::string>{"UPDATE accounts SET status='offline' WHERE account='one'"});
}

TEST_CASE("accounts: while the database is away the initquery is asked again and no account waits for a restart") {
  Site site{std::string(kYates)};
  Logins logins(site.engine());
  bool away = true;
  site.database().says = [&](const Asked& asked) {
    if (away) return Reply::failed("away");
    return asked.query.starts_with("SELECT") ? rows_of({{"one", "login", "sip", "101", "p"}}) : Reply::wrote(1);
  };
  tick(site, 5);
  CHECK(site.database().asked.size() >= 2);
  CHECK(logins.seen.empty());
  away = false;
  tick(site, 40);
  REQUIRE(!logins.seen.empty());
  CHECK(logins.seen[0] == "login one 101 p");
}

TEST_CASE("accounts: without accounts=yes nothing is asked; switched on without a query it stays off and is named") {
  Site site("[general]\naccounts=no\n[default]\naccount=db\n[accounts]\ntimerquery=SELECT\n");
  tick(site, 40);
  CHECK(site.database().asked.empty());
  const auto problems = problems_of("[general]\naccounts=yes\n[default]\naccount=db\n");
  REQUIRE(problems.size() == 1);
  CHECK(problems.front().text.find("timerquery=") != std::string::npos);
}
