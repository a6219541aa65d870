// `jackfield cdr` on a database that hands out as many records as it is asked for.
#include "commands.h"

#include "unit/register/fixture.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

using namespace jackfield;
using namespace jackfield::register_test;
using jackfield::register_module::cdr_command;

namespace {

using Columns = std::vector<std::string>;

struct Queries {
  std::vector<Asked> asked;
  std::size_t largest = 0;  ///< page
};

/// `count` records, one a second, named by their number; the newest first where the query asks for that.
class Calls final : public DirectDatabase {
 public:
  Calls(Queries& queries, std::size_t count) : queries_(queries), count_(count) {}
  std::string_view type() const override { return "sqlitedb"; }
  tl::expected<Answer, std::string> run(std::string_view query, const messages::QueryValues* values) override {
    Asked asked{.account = {}, .query = std::string(query), .key = {}, .values = {}};
    for (const auto& [name, value] : values->values) asked.values[name] = value;
    const std::size_t limit = std::stoul(asked.query.substr(asked.query.rfind(' ')));
    const bool newest = query.find("time DESC") != std::string_view::npos;
    const std::size_t behind = asked.values["cdrid"].empty() ? 0 : std::stoul(asked.values["cdrid"]);
    queries_.asked.push_back(asked);
    Answer answer;
    answer.rows.columns = Columns{"nodename", "runid", "cdrid", "time", "billid", "chan", "address", "caller", "called", "billtime", "ringtime", "duration",
                                  "direction", "status", "reason", "username"};
    for (std::size_t i = 1; i <= std::min(limit, count_ - behind); ++i) {
      const auto number = newest ? count_ + 1 - i : behind + i;
      const auto id = std::to_string(number);
      for (const auto& cell : {Cell("n"), Cell("r"), Cell(id), Cell(id + ".5"), Cell("b"), Cell(), Cell(), Cell("101"), Cell("102"), Cell("1.5"), Cell("0"), Cell("2"),
                               Cell("incoming"), Cell("answered"), Cell(), Cell("101")})
        answer.rows.cells.push_back(cell);
    }
    queries_.largest = std::max(queries_.largest, answer.rows.size());
    return answer;
  }

 private:
  Queries& queries_;
  std::size_t count_;
};

struct Shell {
  TestEngine engine;
  Queries queries;
  std::string out, err;
  std::optional<std::string> broken;

  int run(std::vector<std::string> arguments, std::size_t records, std::string_view configuration = "[general]\ncall.cdr=yes\n[default]\naccount=db\n[call.cdr]\ncdr_finalize=Q\n") {
    const auto conf = engine.state_dir() / "register.conf";
    std::ofstream(conf) << configuration;
    auto ini = settings::read_ini(conf, {});
    const Settings settings(*jackfield_module.keys, std::move(ini.sections), conf.string(), false);
    std::ostringstream out_stream, err_stream;
    CommandContext context{.arguments = arguments, .settings = settings, .config_dir = engine.state_dir(), .state_dir = engine.state_dir(),
                           .open_database = [&](std::string_view account) -> tl::expected<std::unique_ptr<DirectDatabase>, std::string> {
                             CHECK(account == "db");
                             if (broken) return tl::unexpected(*broken);
                             return std::make_unique<Calls>(queries, records);
                           },
                           .random = engine.random(), .out = out_stream, .err = err_stream};
    const int code = cdr_command(context);
    out = out_stream.str();
    err = err_stream.str();
    return code;
  }
  long lines() const { return std::ranges::count(out, '\n'); }
};

}  // namespace

TEST_CASE("cdr export takes page after page, each behind the last record of the one before") {
  Shell shell;
  REQUIRE(shell.run({"export", "--csv", "--until", "2026-11-20"}, 2500) == 0);
  CHECK(shell.lines() == 2501);
  CHECK(shell.queries.asked.size() == 3);
  CHECK(shell.queries.largest == 1000);
  CHECK(shell.queries.asked[0].values.at("since") == "0.000");
  CHECK(shell.queries.asked[1].values.at("since") == "999.500");
  CHECK(shell.queries.asked[1].values.at("cdrid") == "1000");
  CHECK(shell.queries.asked[2].values.at("nodename") == "n");
  CHECK(shell.queries.asked[2].values.at("until") == "1795132800.000");
  CHECK(shell.out.ends_with("1970-01-01T00:41:40.500Z,b,,,101,102,1.500,0.000,2.000,incoming,answered,,101\r\n"));
}

TEST_CASE("cdr export ends where a page is exactly full, and where there is nothing") {
  Shell shell;
  REQUIRE(shell.run({"export", "--json"}, 1000) == 0);
  CHECK(shell.lines() == 1002);
  REQUIRE(shell.run({"export", "--csv"}, 0) == 0);
  CHECK(shell.lines() == 1);
}

TEST_CASE("cdr list: the newest last") {
  Shell shell;
  REQUIRE(shell.run({"list", "--last", "3", "--user", "o'ne"}, 50) == 0);
  CHECK(shell.lines() == 4);
  CHECK(shell.out.find("00:00:48.500Z") < shell.out.find("00:00:50.500Z"));
  CHECK(shell.queries.asked[0].values.at("user") == "o'ne");
  CHECK(shell.queries.asked[0].query.find("o'ne") == std::string::npos);
}

TEST_CASE("cdr is another module's business where the database gets no records, and says what is wrong with it where it does") {
  Shell shell;
  CHECK(shell.run({"list"}, 1, "[general]\nuser.auth=yes\n[default]\naccount=db\n[call.cdr]\ncdr_finalize=Q\n") == kNotServed);
  CHECK(shell.run({"list"}, 1, "[general]\ncall.cdr=yes\n[default]\naccount=${account}\n[call.cdr]\ncdr_finalize=Q\n") == kNotServed);
  shell.broken = "no such host";
  CHECK(shell.run({"list"}, 1) == 1);
  CHECK(shell.err == "jackfield cdr: no such host\n");
  CHECK(shell.run({"export"}, 1) == 2);
}
