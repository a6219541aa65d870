#include "settings.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace jackfield;

namespace {

struct Read {
  Problems problems;
  std::vector<std::shared_ptr<const rmanager::ListenerSettings>> listeners;
  explicit Read(const std::string& text, bool from_yate = false) {
    const Settings settings(rmanager::kKeys, parse_sections(text, "rmanager.conf"), "rmanager.conf", from_yate);
    listeners = rmanager::read_settings(settings, problems);
  }
  bool says(std::string_view part) const {
    return std::ranges::any_of(problems, [&](const Problem& problem) { return problem.text.find(part) != std::string::npos; });
  }
};

}  // namespace

TEST_CASE("rmanager.conf: without a section there is one listener, on loopback") {
  const Read read("");
  REQUIRE(read.listeners.size() == 1);
  CHECK(read.listeners[0]->address.text() == "127.0.0.1:5038");
  CHECK_FALSE(read.listeners[0]->trust.everybody());
  CHECK(read.problems.empty());
}

TEST_CASE("rmanager.conf: each section is a listener with its own keys and aliases") {
  const Read read("[general]\npassword=x\n[office]\naddr=::1\nport=5039\nuserpass=u\npassword=p\nalias:up=uptime\nwhat=ever\ndebug=yes\n");
  REQUIRE(read.listeners.size() == 2);
  CHECK(read.listeners[1]->address.text() == "[::1]:5039");
  CHECK(read.listeners[1]->aliases == std::vector<std::pair<std::string, std::string>>{{"up", "uptime"}});
  REQUIRE(read.problems.size() == 1);
  CHECK(read.problems[0].where.line == 9);
  CHECK(read.says("`what` is no key"));
}

TEST_CASE("rmanager.conf: an address that others reach needs both passwords") {
  CHECK(has_errors(Read("[general]\naddr=192.0.2.1\n").problems));
  CHECK(has_errors(Read("[general]\naddr=0.0.0.0\npassword=p\n").problems));
  CHECK_FALSE(has_errors(Read("[general]\naddr=0.0.0.0\npassword=p\nuserpass=u\n").problems));
  CHECK(has_errors(Read("[general]\naddr=here\n").problems));
}

TEST_CASE("rmanager.conf: TLS that is not there is an error, not a console in the clear") {
  CHECK(Read("[general]\ncontext=console\n").says("speaks no TLS"));
  CHECK(has_errors(Read("[general]\ndomain=example.org\n").problems));
}

TEST_CASE("rmanager.conf: who is trusted is said where it is Yate's file, or everybody") {
  CHECK(Read("[general]\n").problems.empty());
  CHECK(Read("[general]\n", true).says("trust=any is Yate's way"));
  CHECK(Read("[general]\ntrust=any\n").says("everybody with an account on this machine"));
  CHECK(Read("[general]\nuserpass=u\n").says("nobody becomes an administrator"));
}

TEST_CASE("rmanager.conf: a timeout is five seconds at least, or none") {
  CHECK(Read("[general]\ntimeout=10\n").listeners[0]->timeout == std::chrono::seconds(5));
  CHECK(Read("[general]\ntimeout=0\n").listeners[0]->timeout == Duration(0));
  CHECK(Read("[general]\nuser_regexp=(\n").says("user_regexp"));
}

TEST_CASE("rmanager.conf: user_prefix is a list of words that commands of users begin with, user_regexp an expression for them") {
  const Read read("[general]\nuser_prefix=ban list, registration show ,\nuser_regexp=^connection (list|show)\n");
  REQUIRE(read.problems.empty());
  const auto& listener = *read.listeners[0];
  for (const auto* const line : {"ban list", "  ban list", "registration show 101", "connection list", "connection show x"}) CHECK_MESSAGE(listener.allows_users(line), line);
  for (const auto* const line : {"ban", "ban listing", "ban add 192.0.2.1", "x ban list", "connection register x", ""}) CHECK_MESSAGE(!listener.allows_users(line), line);
  CHECK_FALSE(Read("").listeners[0]->allows_users("ban list"));
}

TEST_CASE("rmanager.conf: accounts may be trusted besides, if there are any of that name") {
  CHECK(Read("[general]\ntrust=nobody\n").listeners[0]->trust.admits(65534));
  CHECK(Read("[general]\ntrust=no-such-account\n").says("there is no account `no-such-account`"));
}
