#include "support/module_host.h"

#include <doctest/doctest.h>

using namespace jackfield;

namespace {

void record(ModuleHost& host, std::string_view operation, std::string_view chan, std::string_view account, std::string_view direction = "incoming") {
  auto cdr = host.message("call.cdr", {{"operation", operation}, {"chan", chan}, {"direction", direction}, {"account", account}});
  cdr.set_broadcast(true);
  CHECK_FALSE(host.ask(cdr));
}

Message routed(ModuleHost& host, std::string_view id, std::string_view account) {
  auto route = host.message("call.route", {{"id", id}, {"account", account}});
  CHECK_FALSE(host.ask(route));
  return route;
}

std::string status(ModuleHost& host) {
  auto about = host.message("engine.status", {{"module", "callcounters"}});
  CHECK(host.ask(about));
  return std::string(about.retvalue());
}

}  // namespace

TEST_CASE("YT-16: a call that is routed learns how many others have the value of its parameter") {
  ModuleHost host("[general]\nparameter=account\n");
  CHECK(routed(host, "sip/1", "A").get("account_count") == "0");
  record(host, "initialize", "sip/1", "A");
  record(host, "initialize", "sip/2", "A");
  record(host, "initialize", "sip/3", "B");
  CHECK(routed(host, "sip/9", "A").get("account_count") == "2");
  CHECK(routed(host, "sip/2", "A").get("account_count") == "1");  // itself is not another
  CHECK_FALSE(routed(host, "sip/9", "").has("account_count"));
  CHECK(status(host) == "name=callcounters,type=misc,format=Context|Count;counters=2;A=2,B=1\r\n");
}

TEST_CASE("YT-16: counters follow the record: a value that comes late, that changes, that goes with the leg") {
  ModuleHost host("[general]\nparameter=account\n");
  record(host, "initialize", "sip/1", "");
  CHECK(status(host) == "name=callcounters,type=misc,format=Context|Count;counters=0\r\n");
  record(host, "update", "sip/1", "A");
  record(host, "update", "sip/1", "A");
  CHECK(status(host) == "name=callcounters,type=misc,format=Context|Count;counters=1;A=1\r\n");
  record(host, "update", "sip/1", "B");
  CHECK(status(host) == "name=callcounters,type=misc,format=Context|Count;counters=1;B=1\r\n");
  record(host, "combined", "sip/1", "B");
  record(host, "finalize", "sip/1", "B");
  record(host, "finalize", "sip/1", "B");
  CHECK(status(host) == "name=callcounters,type=misc,format=Context|Count;counters=0\r\n");
}

TEST_CASE("only legs of the direction are counted, unless both are") {
  for (const auto& [direction, expected] : {std::pair{"incoming", "A=1"}, std::pair{"outgoing", "A=2"}, std::pair{"both", "A=3"}}) {
    ModuleHost host(std::string("[general]\nparameter=account\ndirection=") + direction + "\n");
    record(host, "initialize", "sip/1", "A");
    record(host, "initialize", "sip/2", "A", "outgoing");
    record(host, "initialize", "sip/3", "A", "outgoing");
    CHECK(status(host).find(expected) != std::string::npos);
  }
}

TEST_CASE("allcounters tells every counter, and is what a reload changes") {
  ModuleHost host("[general]\nparameter=account\n");
  record(host, "initialize", "sip/1", "A");
  record(host, "initialize", "sip/2", "B");
  CHECK_FALSE(routed(host, "sip/9", "A").has("account_count_B"));
  CHECK_FALSE(host.load("[general]\nparameter=account\nallcounters=yes\n"));
  const auto route = routed(host, "sip/9", "A");
  CHECK(route.get("account_count_A") == "1");
  CHECK(route.get("account_count_B") == "1");
}

TEST_CASE("a file that counts and limits nothing is told so; numbers that are none are errors with their line") {
  CHECK(problems_of("").at(0).text.find("nothing is counted") == 0);
  const auto problems = problems_of("[limit username]\ncalls=2\n101=many\n102=-1\nrate=fast\n");
  REQUIRE(problems.size() == 3);
  for (const auto& problem : problems) CHECK(problem.severity == Problem::Severity::error);
  CHECK(problems[0].where.line == 5);
  CHECK(problems[1].where.line == 3);
  CHECK(problems[2].where.line == 4);
}
