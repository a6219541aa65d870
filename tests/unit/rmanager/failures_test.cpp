#include "failures.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace std::chrono_literals;
using rmanager::Failures;

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
