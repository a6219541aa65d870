#include "door/failures.h"
#include "door/trust.h"

#include <doctest/doctest.h>

#include <unistd.h>

using namespace jackfield;
using namespace std::chrono_literals;
using door::Failures;

TEST_CASE("failures: each wrong password of an address makes the next answer slower, whatever its port") {
  Failures failures;
  const auto one = *net::Address::parse("192.0.2.1", 1), other = *net::Address::parse("192.0.2.2", 1);
  const MonoTime now{1000s};
  for (const auto expected : {100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 3200ms}) {
    static std::uint16_t port = 5;
    CHECK(failures.add(one.with_port(port++), now, 100ms) == expected);
  }
  CHECK(failures.add(other, now, 100ms) == 100ms);
  failures.forget(one.with_port(7));
  CHECK(failures.add(one, now, 100ms) == 100ms);
  CHECK(failures.add(one, now + 11min, 100ms) == 100ms);
  CHECK(failures.size() == 1);
}

TEST_CASE("failures: many addresses need little memory") {
  Failures failures;
  for (int i = 0; i < 5000; ++i) failures.add(*net::Address::parse("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250)), MonoTime{1s}, 1ms);
  CHECK(failures.size() <= 1000);
}

TEST_CASE("trust: without more it is root's and the server's own, a name adds an account, any is everybody") {
  constexpr uid_t kStranger = 54321;
  const auto owner = door::Trust::parse("owner");
  REQUIRE(owner);
  CHECK(owner->admits(0));
  CHECK(owner->admits(geteuid()));
  CHECK_FALSE(owner->admits(kStranger));
  CHECK_FALSE(owner->admits(std::nullopt));  // the kernel did not say whose it is
  CHECK_FALSE(owner->everybody());
  CHECK_FALSE(door::Trust::parse("")->admits(kStranger));

  const auto named = door::Trust::parse(" nobody , owner");
  REQUIRE(named);
  CHECK(named->admits(65534));
  CHECK_FALSE(named->admits(kStranger));
  CHECK(named->text() == "root, the server's own account, nobody");

  CHECK(door::Trust::parse("any")->admits(kStranger));
  CHECK(door::Trust::parse("any")->everybody());
  const auto unknown = door::Trust::parse("nobody,no-such-account");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().find("`no-such-account`") != std::string::npos);
}
