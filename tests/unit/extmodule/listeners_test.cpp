#include "support/module_host.h"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

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
    descriptor = connect();
    REQUIRE(engine->run_until([&] { return engine->logged("event=script-connected"); }));
  }
  ~Site() { ::close(descriptor); }

  int connect() const {
    const int made = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    REQUIRE(::connect(made, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    return made;
  }
  /// Another one in the place of the one that is gone.
  void connect_again() {
    ::close(std::exchange(descriptor, connect()));
    engine->clear_lines();
    REQUIRE(engine->run_until([&] { return engine->logged("event=script-connected"); }));
  }
  std::ptrdiff_t logged(std::string_view what) const {
    return std::ranges::count_if(engine->lines(), [&](const auto& line) { return line.text.find(what) != std::string::npos; });
  }

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

TEST_CASE("wrong secrets are answered late, later each time, and logged with who told them") {
  Site site("secret=sesame\nfail_delay=1000\n");
  const auto answer = [&] {
    std::string heard;
    char buffer[256];
    site.engine->run_until_idle();
    const auto bytes = ::recv(site.descriptor, buffer, sizeof(buffer), MSG_DONTWAIT);
    return bytes > 0 ? std::string(buffer, static_cast<std::size_t>(bytes)) : std::string();
  };
  for (const auto* const delay : {"delay_ms=1000", "delay_ms=2000", "delay_ms=4000"}) {
    // What follows is not heard: another guess, nor the right one.
    site.say("%%>auth:geheim\n%%>auth:geheimer\n%%>auth:sesame\n");
    REQUIRE(site.engine->run_until([&] { return site.logged(delay) == 1; }));
    CHECK(site.logged("event=wrong-secret script=test/") == 1);
    CHECK(site.logged("address=local") == 1);
    site.engine->advance(900ms);
    CHECK(answer() == "");
    site.engine->advance(4s);
    CHECK(answer() == "%%<auth:false\n");
    CHECK(site.logged("event=script-closed") == 1);
    CHECK(site.logged("geheim") == 0);
    site.connect_again();
  }
  site.say("%%>auth:sesame\n");
  CHECK(site.hear(1) == "%%<auth:true\n");
  site.connect_again();
  site.say("%%>auth:geheim\n");  // the right one made good for those before
  CHECK(site.engine->run_until([&] { return site.logged("delay_ms=1000") == 1; }));
}

TEST_CASE("those that have not told the secret are few, and take no place of those that have") {
  Site site("secret=sesame\nsecret_timeout=5000\n");
  site.say("%%>auth:sesame\n");
  site.hear(1);
  std::vector<int> strangers;
  for (int i = 0; i < 20; ++i) strangers.push_back(site.connect());
  REQUIRE(site.engine->run_until([&] { return site.logged("reason=too-many") == 1; }));
  site.engine->run_until_idle();
  CHECK(site.logged("event=script-connected") == 1 + 16);
  CHECK(site.logged("connected=17 of_them_without_secret=16") == 1);
  site.engine->advance(6s);
  CHECK(site.logged("it did not tell the secret") == 16);
  strangers.push_back(site.connect());
  CHECK(site.engine->run_until([&] { return site.logged("event=script-connected") == 1 + 16 + 1; }));
  site.say("%%>setlocal:id:\n");  // who told it is there still
  CHECK(site.hear(1) == "%%<setlocal:id::true\n");
  for (const int stranger : strangers) ::close(stranger);
}

TEST_CASE("no secret gets into the log: said twice, misspelt, or in a message that is not understood") {
  Site site("secret=sesame\n");
  site.say("%%>auth:sesame\n%%>auth:sesame\n%%>auth sesame\n%%>author:sesame\nauth:sesame\n%%>message:1:sesame:sesame::password=sesame\nauth sesame\n");
  CHECK(site.hear(7) ==
        "%%<auth:true\n%%<auth:true\nError in: %%>auth sesame\nError in: %%>author:sesame\nError in: auth:sesame\n"
        "Error in: %%>message:1:sesame:sesame::password=sesame\nError in: auth sesame\n");
  CHECK(site.logged("event=bad-line") == 5);
  CHECK(site.logged("%%>message:") == 1);
  CHECK(site.logged("sesame") == 0);
}

TEST_CASE("a script that told no secret because none is asked hears that it is right") {
  Site site("");
  site.say("%%>auth:whatever\n");
  CHECK(site.hear(1) == "%%<auth:true\n");
}

TEST_CASE("who may connect by TCP without a secret is said where it is Yate's file, or everybody") {
  const auto said = [](std::string_view more, bool from_yate = false) {
    Problems problems = jackfield_module.create()->check(settings_from(fmt::format("[listener t]\naddr=127.0.0.1\nport=5039\n{}", more), from_yate)).problems;
    return problems.empty() ? std::string() : problems.front().text;
  };
  CHECK(said("") == "");
  CHECK(said("", true) == "[listener t]: only scripts of root, the server's own account may connect to port 5039 (trust=any is Yate's way: everybody on this machine)");
  CHECK(said("trust=any\n").find("everybody with an account on this machine may command the server through port 5039") != std::string::npos);
  CHECK(said("trust=any\nsecret=x\n", true) == "");
  CHECK(said("trust=no-such-account\n").find("there is no account `no-such-account`") != std::string::npos);
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
  CHECK(site.logged("event=bad-line") == 10);
  CHECK(site.logged("further ones are not logged") == 1);
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
