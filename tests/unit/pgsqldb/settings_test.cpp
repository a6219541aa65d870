#include "settings.h"

#include "support/module_host.h"

using namespace jackfield;
using namespace jackfield::pgsqldb;
using namespace std::chrono_literals;

namespace {

std::vector<AccountSettings> accounts(std::string_view text, Problems& problems, bool from_yate = false) {
  return read_accounts(settings_from(text, from_yate), problems);
}

}  // namespace

TEST_CASE("each section is an account, with Yate's defaults where it says nothing") {
  Problems problems;
  const auto read = accounts("[general]\npriority=50\n[one]\n[two]\nhost=db\ntimeout=700\nretry=2\npoolsize=4\nautostart=no\n", problems);
  CHECK(problems.empty());
  REQUIRE(read.size() == 2);
  CHECK(read[0].options.name == "one");
  CHECK(read[0].servers[0].name == "host=localhost port=5432 dbname=yate");
  CHECK(read[0].options.timeout == 10s);
  CHECK(read[0].options.retry == 5);
  CHECK(read[0].options.autostart);
  CHECK(read[0].options.separate_writer);
  CHECK(read[0].options.connections == 1);
  CHECK(read[1].options.timeout == 700ms);
  CHECK(read[1].options.connections == 3);
  CHECK_FALSE(read[1].options.autostart);
}

TEST_CASE("one connection does everything where that is asked for, or where it is Yate's own file") {
  Problems problems;
  CHECK_FALSE(accounts("[a]\npoolsize=1\n", problems)[0].options.separate_writer);
  CHECK_FALSE(accounts("[a]\n", problems, true)[0].options.separate_writer);
  CHECK(accounts("[a]\npoolsize=3\n", problems, true)[0].options.separate_writer);
}

TEST_CASE("an account that changed in any key is another one") {
  Problems problems;
  const auto print = [&](std::string_view keys) { return accounts("[a]\n" + std::string(keys), problems)[0].fingerprint; };
  CHECK(print("") == print("host=localhost\n"));
  for (const auto* keys : {"host=b\n", "password=x\n", "timeout=5s\n", "poolsize=3\n", "reconnect=1s\n"}) CHECK(print("") != print(keys));
}

TEST_CASE("a connection string that is wrong is an error at its line, and the secret in it is told to nobody") {
  const auto problems = problems_of("[a]\nconnection=host=db passwd secret\n");
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].severity == Problem::Severity::error);
  CHECK(problems[0].where.line == 2);
  CHECK(problems[0].text.find("secret") == std::string::npos);
}

TEST_CASE("an encoding in which escaped text is not safe is refused") {
  for (const auto* name : {"SJIS", "gbk", "Shift_JIS_2004", "win-950"}) {
    const auto problems = problems_of(fmt::format("[a]\nencoding={}\n", name));
    REQUIRE_MESSAGE(problems.size() == 1, name);
    CHECK(problems[0].severity == Problem::Severity::error);
  }
  CHECK(problems_of("[a]\nencoding=LATIN1\n").empty());
}

TEST_CASE("keys beside a connection string are named") {
  const auto problems = problems_of("[a]\nconnection=host=db\nhost=other\n");
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].severity == Problem::Severity::warning);
  CHECK(problems[0].where.line == 3);
}

TEST_CASE("N-8: an account whose server is not there answers so, and goes on trying") {
  // Nobody listens at port 1; the address is this machine's own.
  ModuleHost host("[a]\nhost=127.0.0.1\nport=1\nreconnect=10ms\nreconnect_max=20ms\n");
  auto query = host.message("database", {{"account", "a"}, {"query", "SELECT 1"}});
  CHECK(host.ask(query));
  CHECK(query.get("failure") == "away");
  CHECK(query.get("error").find("127.0.0.1") != std::string_view::npos);
  CHECK(query.get("dbtype") == "pgsqldb");
  auto other = host.message("database", {{"account", "b"}, {"query", "SELECT 1"}});
  CHECK_FALSE(host.ask(other));
}
