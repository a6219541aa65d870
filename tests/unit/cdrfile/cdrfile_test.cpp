#include "line_format.h"
#include "line_writer.h"

#include "support/module_host.h"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include <sys/stat.h>
#include <unistd.h>

using namespace jackfield;
using namespace jackfield::cdrfile;
using namespace std::chrono_literals;

namespace {

std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path);
  return (std::ostringstream() << in.rdbuf()).str();
}

Message record(std::initializer_list<Parameter> parameters) {
  Message cdr("call.cdr");
  cdr.set_broadcast(true);
  cdr.set("operation", "finalize");
  for (const auto& [name, value] : parameters) cdr.set(name, value);
  return cdr;
}

/// The module, and the file it writes.
struct Files {
  std::shared_ptr<TestEngine> engine = std::make_shared<TestEngine>();
  std::filesystem::path file = engine->state_dir() / "cdr.tsv";
  std::unique_ptr<ModuleHost> host;

  explicit Files(std::string_view more = {}) : host(std::make_unique<ModuleHost>(engine, configuration(more))) {}
  static std::string configuration(std::string_view more) { return fmt::format("[general]\nfile=cdr.tsv\n{}", more); }
  void say(std::initializer_list<Parameter> parameters) {
    auto cdr = record(parameters);
    CHECK_FALSE(host->ask(cdr));
  }
  /// The end of the module: everything is in the file then.
  std::string text() {
    host.reset();
    return read_text(file);
  }
};

}  // namespace

TEST_CASE("the default is Yate's line of twelve columns") {
  Files files;
  files.say({{"time", "1.000"}, {"billid", "b-1"}, {"chan", "sip/1"}, {"address", "10.0.0.1:5060"}, {"caller", "101"}, {"called", "102"}, {"billtime", "1.500"},
             {"ringtime", "2.000"}, {"duration", "3.500"}, {"direction", "incoming"}, {"status", "answered"}});
  CHECK(files.text() == "1.000\tb-1\tsip/1\t10.0.0.1:5060\t101\t102\t1.500\t2.000\t3.500\tincoming\tanswered\t\n");
}

TEST_CASE("only final records that are to be written are written") {
  Files files("format=${chan}\n");
  for (const auto* operation : {"initialize", "update", "status", "combined"}) files.say({{"chan", "no"}, {"operation", operation}});
  files.say({{"chan", "no"}, {"cdrwrite", "false"}});
  files.say({{"chan", "sip/1"}, {"cdrwrite", "true"}});
  CHECK(files.text() == "sip/1\n");

  Files combined("format=${chan}\ncombined=yes\n");
  combined.say({{"chan", "leg"}});
  combined.say({{"chan", "call"}, {"operation", "combined"}});
  CHECK(combined.text() == "call\n");
}

TEST_CASE("what a value holds stays in its field and on its line") {
  struct Case {
    std::string_view format, value, raw, line;
  };
  for (const auto& c : {
           Case{"${v}\tx", "a\tb\nc", "a\tb\nc\tx", "a b c\tx"},
           Case{"${v};x", "a\r\nb", "a\r\nb;x", "a  b;x"},
           Case{"${v},x", "plain", "plain,x", "plain,x"},
           Case{"${v},x", "a,b", "a,b,x", "\"a,b\",x"},
           Case{"${v},x", "say \"hi\"", "say \"hi\",x", "\"say \"\"hi\"\"\",x"},
           Case{"${v},x", "two\nlines", "two\nlines,x", "\"two\nlines\",x"},
           Case{"\"${v}\",x", "plain", "\"plain\",x", "\"plain\",x"},
           Case{"\"${v}\",x", "a\"b", "\"a\"b\",x", "\"a\"\"b\",x"},
           Case{"x,tel:${v}", "1,2", "x,tel:1,2", "x,\"tel:1,2\""},
           Case{"x,${none$a,b},${v}", "1", "x,a,b,1", "x,\"a,b\",1"},
           Case{"\"a \"\"b\"\" ${v}\",", "c", "\"a \"\"b\"\" c\",", "\"a \"\"b\"\" c\","},
           Case{"${v},", "${time}", "${time},", "${time},"},
           Case{"${open,x", "", "${open,x", "${open,x"},
       }) {
    CAPTURE(c.format);
    const auto cdr = record({{"v", c.value}, {"time", "1"}});
    CHECK(LineFormat(c.format, true).line(cdr) == std::string(c.raw) + "\n");
    CHECK(LineFormat(c.format, false).line(cdr) == std::string(c.line) + "\n");
  }
}

TEST_CASE("tabs=no is CSV with every text in quotes") {
  Files files("tabs=no\n");
  files.say({{"time", "1.000"}, {"caller", "\"O'Hara\", 101"}, {"duration", "3"}});
  CHECK(files.text() == "1.000,\"\",\"\",\"\",\"\"\"O'Hara\"\", 101\",\"\",,,3,\"\",\"\",\"\"\n");
}

TEST_CASE("raw=yes is Yate's line, values as they are") {
  Files files("tabs=no\nraw=yes\n");
  files.say({{"time", "1.000"}, {"caller", "a\"b,c"}});
  CHECK(files.text() == "1.000,\"\",\"\",\"\",\"a\"b,c\",\"\",,,,\"\",\"\",\"\"\n");
}

TEST_CASE("a file that is there is appended to; a new one has the permissions asked for") {
  const auto before = ::umask(0);
  {
    Files files("mode=0600\nformat=${chan}\n");
    files.say({{"chan", "1"}});
    files.host.reset();
    struct stat status {};
    REQUIRE(::stat(files.file.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    files.host = std::make_unique<ModuleHost>(files.engine, Files::configuration("format=${chan}\n"));
    files.say({{"chan", "2"}});
    CHECK(files.text() == "1\n2\n");
  }
  ::umask(before);
}

TEST_CASE("a reload opens the file anew: what was moved away gets nothing more") {
  Files files("format=${chan}\n");
  files.say({{"chan", "1"}});
  const auto moved = files.file.string() + ".1";
  std::filesystem::rename(files.file, moved);
  files.say({{"chan", "2"}});
  CHECK_FALSE(files.host->load(Files::configuration("format=${chan}!\n")));
  files.say({{"chan", "3"}});
  CHECK(files.text() == "3!\n");
  CHECK(read_text(moved) == "1\n2\n");
}

TEST_CASE("a file that cannot be opened refuses the reload and the old one is written on") {
  Files files("format=${chan}\n");
  const auto refused = files.host->load("[general]\nfile=/nonexistent/cdr\nformat=new\n");
  REQUIRE(refused);
  CHECK(refused->where.line == 2);
  CHECK(refused->text.find("cannot open /nonexistent/cdr: No such file or directory; check the path") != std::string::npos);
  files.say({{"chan", "1"}});
  CHECK(files.text() == "1\n");
}

TEST_CASE("without file= records are below the state directory; with an empty one nothing is written, and check says so") {
  CHECK(problems_of("").empty());
  CHECK(problems_of("[general]\nfile=\n").size() == 1);
  const auto engine = std::make_shared<TestEngine>();
  for (const auto* text : {"[general]\nfile=\n", ""}) {
    ModuleHost host(engine, text);
    auto cdr = record({{"chan", "1"}});
    CHECK_FALSE(host.ask(cdr));
  }
  CHECK(std::ranges::count(read_text(engine->state_dir() / "calls.tsv"), '\n') == 1);
}

TEST_CASE("Yate's file without file= writes nothing, as it did there") {
  const auto problems = jackfield_module.create()->check(settings_from("[general]\nraw=yes\n", true)).problems;
  REQUIRE(problems.size() == 1);
  CHECK(problems.front().text.find("no call records are written") != std::string::npos);
}

TEST_CASE("Yate's file without raw= is told what is different, and how to have it back") {
  const auto told = [](std::string_view text) { return jackfield_module.create()->check(settings_from(text, true)).problems; };
  REQUIRE(told("[general]\nfile=x\n").size() == 1);
  CHECK(told("[general]\nfile=x\n").front().text.find("raw=yes in [general]") != std::string::npos);
  CHECK(told("[general]\nfile=x\nraw=no\n").empty());
}

TEST_CASE("a full disk: the record waits, the error says what to do and is said once, and what is left at the end is counted") {
  TestEngine engine;
  auto full = AppendFile::open("/dev/full", 0640);
  REQUIRE(full);
  {
    LineWriter writer(engine.log("cdrfile"), *full, 1ms);
    writer.append("a\n");
    writer.append("b\n");
    REQUIRE(engine.run_until([&] { return engine.logged("event=not_written"); }));
    CHECK(engine.logged("No space left on device; make room on that disk"));
    CHECK_FALSE(writer.flush(20ms));
    CHECK(writer.waiting() == 2);
  }
  CHECK(std::ranges::count_if(engine.lines(), [](const LoggedLine& line) { return line.text.find("event=not_written") != std::string::npos; }) == 1);
  CHECK(engine.logged("event=records_lost count=2"));
}

TEST_CASE("a reader that goes on after a pause gets every line, in order and whole") {
  TestEngine engine;
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  auto file = AppendFile::open(fmt::format("/dev/fd/{}", pipe[1]), 0);
  REQUIRE(file);
  std::string expected, got;
  {
    LineWriter writer(engine.log("cdrfile"), std::move(*file));
    for (int i = 0; i < 5000; ++i) {
      const auto line = fmt::format("record {} {}\n", i, std::string(40, 'x'));
      expected.append(line);
      writer.append(line);  // far more than the pipe holds: append() does not wait for it
    }
    CHECK(writer.waiting() > 0);
    char block[4096];
    while (got.size() < expected.size()) {
      const auto size = ::read(pipe[0], block, sizeof(block));
      REQUIRE(size > 0);
      got.append(block, static_cast<std::size_t>(size));
    }
    CHECK(writer.flush(10s));
  }
  CHECK(got == expected);
  ::close(pipe[0]);
  ::close(pipe[1]);
}
