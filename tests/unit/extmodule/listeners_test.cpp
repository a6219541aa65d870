#include "support/module_host.h"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace jackfield;
using namespace std::chrono_literals;

namespace {

/// A script at a Unix socket, on a clock that the test advances.
struct Site {
  std::shared_ptr<TestEngine> engine = std::make_shared<TestEngine>();
  std::string path = (engine->state_dir() / "scripts").string();
  ModuleHost host;
  int descriptor = -1;

  explicit Site(const std::string& more) : host(engine, fmt::format("[listener test]\ntype=unix\npath={}\n{}", path, more)) {
    descriptor = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    REQUIRE(::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    REQUIRE(engine->run_until([&] { return engine->logged("event=script-connected"); }));
  }
  ~Site() { ::close(descriptor); }

  void say(std::string_view lines) { REQUIRE(::send(descriptor, lines.data(), lines.size(), 0) == static_cast<ssize_t>(lines.size())); }
  /// What it hears until that many lines have come.
  std::string hear(std::size_t lines) {
    std::string heard;
    REQUIRE(engine->run_until([&] {
      char buffer[4096];
      const auto bytes = ::recv(descriptor, buffer, sizeof(buffer), MSG_DONTWAIT);
      if (bytes > 0) heard.append(buffer, static_cast<std::size_t>(bytes));
      return static_cast<std::size_t>(std::ranges::count(heard, '\n')) >= lines;
    }));
    return heard;
  }
};

}  // namespace

TEST_CASE("who connects and does not tell the secret in time goes; who told it stays") {
  Site site("secret=sesame\n");
  SUBCASE("silent") {
    site.engine->advance(9s);
    CHECK_FALSE(site.engine->logged("event=script-closed"));
    site.engine->advance(2s);
    CHECK(site.engine->logged("event=script-closed script=test/2 why=\"it did not tell the secret\""));
  }
  SUBCASE("told") {
    site.say("%%>auth:sesame\n");
    CHECK(site.hear(1) == "%%<auth:true\n");
    site.engine->advance(60s);
    CHECK_FALSE(site.engine->logged("event=script-closed"));
  }
  CHECK_FALSE(site.engine->logged("sesame"));
}

TEST_CASE("what begins as HTTP is no script, but a web page that would like to be one") {
  Site site("");
  site.say("POST / HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n%%>install:50:user.auth\r\n");
  CHECK(site.engine->run_until([&] { return site.engine->logged("event=script-closed"); }));
  CHECK_FALSE(site.engine->bus().has_handlers("user.auth"));
}

TEST_CASE("a script that talks nonsense fills no log, and hears of each line") {
  Site site("");
  std::string nonsense, replies;
  for (int i = 0; i < 50; ++i) {
    nonsense += fmt::format("nonsense {}\n", i);
    replies += fmt::format("Error in: nonsense {}\n", i);
  }
  site.say(nonsense);
  CHECK(site.hear(50) == replies);
  const auto said = [&](std::string_view what) {
    return std::ranges::count_if(site.engine->lines(), [&](const auto& line) { return line.text.find(what) != std::string::npos; });
  };
  CHECK(said("event=bad-line") == 10);
  CHECK(said("further ones are not logged") == 1);
}

TEST_CASE("N-12: a script that is late is spared after the breaker's count, then asked one question at a time") {
  Site site("[general]\ntimeout=100\nbreaker=2\nbreaker_pause=1000\n");
  site.say("%%>install:50:my.question\n");
  CHECK(site.hear(1) == "%%<install:50:my.question:true\n");
  int over = 0;
  const auto ask = [&](int times) {
    for (int i = 0; i < times; ++i) {
      site.engine->bus().enqueue(Message("my.question"), [&](Message&, bool) { ++over; });
    }
    site.engine->run_until_idle();
  };
  ask(2);
  CHECK(over == 0);
  site.engine->advance(110ms);
  CHECK(over == 2);
  ask(3);
  CHECK(over == 5);  // at once
  site.engine->advance(1s);
  ask(3);
  CHECK(over == 7);  // one of them tries it
  site.engine->advance(110ms);
  CHECK(over == 8);
  ask(1);
  CHECK(over == 9);
  site.engine->advance(1s);
  ask(1);
  const auto questions = site.hear(4);
  const auto last = questions.substr(0, questions.size() - 1).rfind('\n') + 1;
  const auto id = questions.substr(last + 11, questions.find(':', last + 11) - last - 11);
  site.say("%%<message:" + id + ":true::\n");
  REQUIRE(site.engine->run_until([&] { return over == 10; }));
  ask(2);
  CHECK(over == 10);  // it is trusted again: both wait for it
}
