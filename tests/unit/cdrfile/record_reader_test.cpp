// Reading records back, and `jackfield cdr` on them.
#include "commands.h"
#include "line_format.h"
#include "record_reader.h"

#include "support/module_host.h"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <fstream>
#include <sstream>

using namespace jackfield;
using namespace jackfield::cdrfile;

namespace {

using Cells = std::vector<std::string>;

std::vector<Cells> read_all(const std::string& text, char separator, std::size_t columns, std::size_t& strange) {
  std::istringstream in(text);
  RecordReader reader(in, separator, columns);
  std::vector<Cells> out;
  for (Cells cells; reader.next(cells);) out.push_back(cells);
  strange = reader.strange();
  return out;
}

/// The command on a file of records.
struct Shell {
  TestEngine engine;
  std::string out, err;

  int run(std::vector<std::string> arguments, std::string_view configuration, std::string_view records) {
    const auto conf = engine.state_dir() / "cdrfile.conf";
    std::ofstream(conf) << "[general]\n" << configuration;
    std::ofstream(engine.state_dir() / "calls.tsv") << records;
    auto ini = settings::read_ini(conf, {});
    const Settings settings(*jackfield_module.keys, std::move(ini.sections), conf.string(), false);
    std::ostringstream out_stream, err_stream;
    CommandContext context{.arguments = arguments, .settings = settings, .config_dir = engine.state_dir(), .state_dir = engine.state_dir(),
                           .random = engine.random(), .out = out_stream, .err = err_stream};
    const int code = cdr_command(context);
    out = out_stream.str();
    err = err_stream.str();
    return code;
  }
};

std::string line(std::string_view time, std::string_view caller, std::string_view called) {
  return fmt::format("{}\tb-1\tsip/1\t10.0.0.1:5060\t{}\t{}\t1.500\t2.000\t3.500\tincoming\tanswered\t\n", time, caller, called);
}

}  // namespace

TEST_CASE("what the default formats write is read back as it was") {
  for (const bool tabs : {true, false}) {
    Message cdr("call.cdr");
    cdr.set("time", "1.000").set("caller", "a \"b\", c").set("called", "").set("reason", tabs ? "plain" : "two\nlines");
    const LineFormat format(default_format(tabs, false), false);
    std::size_t strange = 0;
    const auto read = read_all(format.line(cdr) + format.line(cdr), tabs ? '\t' : ',', 12, strange);
    REQUIRE(read.size() == 2);
    CHECK(strange == 0);
    CHECK(read[1][0] == "1.000");
    CHECK(read[1][4] == "a \"b\", c");
    CHECK(read[1][5].empty());
    CHECK(read[1][11] == (tabs ? "plain" : "two\nlines"));
  }
}

TEST_CASE("a line that is being written, is torn, or is none of ours") {
  std::size_t strange = 0;
  CHECK(read_all("1\t2\n3\t", '\t', 2, strange) == std::vector<Cells>{{"1", "2"}});
  CHECK(strange == 0);
  CHECK(read_all("1\t2\t3\nwhat\n4\t5\n", '\t', 2, strange) == std::vector<Cells>{{"4", "5"}});
  CHECK(strange == 2);
  CHECK(read_all(std::string(RecordReader::kLongest * 3, 'x') + "\n4\t5\n", '\t', 2, strange) == std::vector<Cells>{{"4", "5"}});
  CHECK(strange == 1);
  CHECK(read_all("\"\",\"\"\n\"a\"\"\",b\n", ',', 2, strange) == std::vector<Cells>{{"", ""}, {"a\"", "b"}});
  CHECK(strange == 0);
}

TEST_CASE("cdr list: the last ones by their beginning, of one user or of all, since a time") {
  Shell shell;
  const auto records = line("30.000", "101", "102") + line("10.000", "103", "101") + line("20.000", "102", "103") + "other words\n";
  REQUIRE(shell.run({"list", "--last", "2"}, "", records) == 0);
  const auto first = shell.out.find("00:00:20"), second = shell.out.find("00:00:30");
  CHECK(first < second);
  CHECK(second != std::string::npos);
  CHECK(shell.out.find("00:00:10") == std::string::npos);
  CHECK(shell.err.find("1 line of") != std::string::npos);
  REQUIRE(shell.run({"list", "--user", "101"}, "", records) == 0);
  CHECK(shell.out.find("00:00:10") != std::string::npos);
  CHECK(shell.out.find("00:00:20") == std::string::npos);
  REQUIRE(shell.run({"list", "--since", "1970-01-01T00:00:20Z"}, "", records) == 0);
  CHECK(shell.out.find("00:00:20") != std::string::npos);
  CHECK(shell.out.find("00:00:10") == std::string::npos);
}

TEST_CASE("cdr export: every record of the time, in the file's order") {
  Shell shell;
  REQUIRE(shell.run({"export", "--csv", "--until", "1970-01-01T00:00:30Z"}, "", line("30.000", "101", "102") + line("10.000", "103", "101")) == 0);
  CHECK(shell.out ==
        "time,billid,chan,address,caller,called,billtime,ringtime,duration,direction,status,reason\r\n"
        "1970-01-01T00:00:10.000Z,b-1,sip/1,10.0.0.1:5060,103,101,1.500,2.000,3.500,incoming,answered,\r\n");
}

TEST_CASE("cdr: a format of one's own is refused, no file is another module's business, a missing one is said") {
  Shell shell;
  CHECK(shell.run({"list"}, "format=${time} ${caller}\n", "") == 1);
  CHECK(shell.err.find("one of your own") != std::string::npos);
  CHECK(shell.run({"list"}, fmt::format("format={}\n", default_format(true, false)), "") == 0);
  CHECK(shell.run({"list"}, "file=\n", "") == kNotServed);
  CHECK(shell.run({"list"}, "file=elsewhere.tsv\n", "") == 1);
  CHECK(shell.err.find("elsewhere.tsv cannot be read: No such file") != std::string::npos);
  CHECK(shell.run({"show"}, "", "") == 2);
}
