#include "log/levels.h"
#include "log/program_log.h"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

using namespace jackfield;

namespace {

struct Kept : LogSink {
  std::string text;
  void write(const Logger& logger, LogLevel, std::string_view line) override { text += logger.name() + ": " + std::string(line) + "\n"; }
};

}  // namespace

TEST_CASE("log: a line stays a line whatever the network sent") {
  Kept kept;
  Logger log("sip", &kept);
  log.info("from={}", "a\r\nb\x1b[2J\tc\x7f");
  CHECK(kept.text == "sip: from=a\\r\\nb\\x1b[2J\\tc\\x7f\n");
}

TEST_CASE("log: values are quoted when they would break key=value") {
  CHECK(log_value("plain/1.2:x") == "plain/1.2:x");
  CHECK(log_value("") == "\"\"");
  CHECK(log_value("a b") == "\"a b\"");
  CHECK(log_value("say \"x\"\\\n") == "\"say \\\"x\\\"\\\\\\n\"");
  CHECK(log_value("k=v") == "\"k=v\"");
}

TEST_CASE("log: nothing below the level is formatted or written, and levels have our names and Yate's numbers") {
  Kept kept;
  Logger log("x", &kept);
  log.debug("hidden");
  log.set_level(LogLevel::debug);
  log.debug("shown");
  CHECK(kept.text == "x: shown\n");
  CHECK(parse_log_level("warning") == LogLevel::warning);
  CHECK(parse_log_level("level 10") == LogLevel::trace);
  CHECK(parse_log_level("7") == LogLevel::info);
  CHECK(parse_log_level("on") == LogLevel::debug);
  CHECK(parse_log_level("off") == LogLevel::off);
  for (const auto* bad : {"", "11", "loud", "5x"}) CHECK_FALSE(parse_log_level(bad));
  CHECK(shifted(LogLevel::info, 1) == LogLevel::debug);
  CHECK(shifted(LogLevel::info, 9) == LogLevel::trace);
  CHECK(shifted(LogLevel::info, -9) == LogLevel::error);
}

TEST_CASE("log: a file that was moved away is made anew") {
  const auto dir = std::filesystem::temp_directory_path() / ("jackfield-log-" + std::to_string(getpid()));
  std::filesystem::create_directory(dir);
  {
    ProgramLog sink(dir / "log");
    Logger log("engine", &sink);
    log.info("event=one");
    std::filesystem::rename(dir / "log", dir / "log.1");
    sink.reopen();
    log.info("event=two");
  }
  const auto text = [&](const char* name) {
    std::ifstream in(dir / name);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  CHECK(text("log.1").find("info    engine: event=one") != std::string::npos);
  CHECK(text("log").find("event=two") != std::string::npos);
  std::filesystem::remove_all(dir);
}

TEST_CASE("log: on a full disk lines are lost, and nothing else") {
  ProgramLog sink("/dev/full");
  Logger log("engine", &sink);
  CHECK_NOTHROW(log.info("event=one"));
  CHECK_NOTHROW(log.info("event=two"));
}

TEST_CASE("log: a pipe that nobody reads does not hold up the writer") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const int kept = dup(STDERR_FILENO);
  dup2(ends[1], STDERR_FILENO);
  {
    ProgramLog sink;
    Logger log("engine", &sink);
    for (int i = 0; i < 5000; ++i) log.info("event=flood number={} {}", i, "filling the pipe until it is full");
    // Once somebody reads, the next line says how many are missing.
    char buffer[4096];
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    while (read(ends[0], buffer, sizeof buffer) > 0) {
    }
    log.info("event=after");
    const auto got = read(ends[0], buffer, sizeof buffer);
    dup2(kept, STDERR_FILENO);
    const std::string text(buffer, got > 0 ? static_cast<std::size_t>(got) : 0);
    CHECK(text.find("log lines were dropped") != std::string::npos);
    CHECK(text.find("event=after") != std::string::npos);
  }
  for (const int fd : {kept, ends[0], ends[1]}) close(fd);
}
