// The tables of the guard: buckets, proven flows, failures, words, overload. Time is an argument everywhere.
#include <doctest/doctest.h>

#include "guard/failures.h"
#include "guard/flood_table.h"
#include "guard/overload.h"
#include "guard/proven_flows.h"
#include "guard/request_peek.h"
#include "guard/words.h"
#include "support/seed.h"

#include <random>
#include <string>

using namespace jackfield;
using namespace jackfield::sip;
using namespace jackfield::sip::guard;
using namespace std::chrono_literals;

namespace {

constexpr stack::HashKey kSecret{0x0123456789abcdef, 0xfedcba9876543210};
constexpr std::int64_t kSecond = 1'000'000;

net::Address address(std::string_view text) { return net::Address::parse_with_port(text).value(); }

}  // namespace

TEST_CASE("P-29: a source may send a burst, then as many a second as the rate says") {
  FloodTable table(kSecret, 64);
  const auto limit = FloodTable::Limit::of(10, 20);
  const auto source = source_key(address("192.0.2.7"));
  const auto taken = [&](std::int64_t now) {
    int count = 0;
    while (table.take(source, now, limit)) ++count;
    return count;
  };
  CHECK(taken(kSecond) == 21);  // the burst, and the one the rate gives at once
  CHECK(taken(kSecond) == 0);
  CHECK(taken(2 * kSecond) == 10);
  CHECK(taken(3 * kSecond + kSecond / 2) == 15);
  CHECK(taken(1000 * kSecond) == 21);  // no more than the burst is saved up
}

TEST_CASE("P-29: one source's flood costs another source nothing") {
  FloodTable table(kSecret, 64);
  const auto limit = FloodTable::Limit::of(10, 20);
  while (table.take(source_key(address("192.0.2.7")), kSecond, limit)) {}
  CHECK(table.take(source_key(address("192.0.2.8")), kSecond, limit));
  CHECK(table.take(source_key(address("[2001:db8::1]:5060")), kSecond, limit));
}

TEST_CASE("P-29: a million sources take no more memory than the table has, and a flooder among them is still held back") {
  FloodTable table(kSecret);
  CHECK(table.bytes() == 16 * FloodTable::kSources);
  const auto limit = FloodTable::Limit::of(10, 20);
  const auto flooder = source_key(address("192.0.2.7"));
  while (table.take(flooder, kSecond, limit)) {}
  std::mt19937_64 random(test::seed());
  int let_through = 0;
  for (int i = 0; i < 2'000'000; ++i) {
    table.take(random() | 1, kSecond, limit);
    if (i % 1000 == 0 && table.take(flooder, kSecond, limit)) ++let_through;
  }
  CHECK(let_through == 0);
}

TEST_CASE("P-29: an IPv6 source is its /64, an IPv4 source its address") {
  CHECK(source_key(address("[2001:db8:1:2::5]:5060")) == source_key(address("[2001:db8:1:2:ffff::9]:1")));
  CHECK(source_key(address("[2001:db8:1:2::5]:5060")) != source_key(address("[2001:db8:1:3::5]:5060")));
  CHECK(source_key(address("192.0.2.1:5060")) == source_key(address("192.0.2.1:9")));
  CHECK(source_key(address("192.0.2.1:5060")) != source_key(address("192.0.2.2:5060")));
  CHECK(source_key(address("[::1]:5060")) != 0);
}

TEST_CASE("a flow counts as proven until its time is over or it is forgotten") {
  ProvenFlows flows;
  CHECK_FALSE(flows.has(77, 0));
  flows.note(0x1234567890ab0000, 10, 70);
  CHECK(flows.has(0x1234567890ab0000, 70));
  CHECK_FALSE(flows.has(0x1234567890ab0000, 71));
  CHECK_FALSE(flows.has(0x1234567890ac0000, 70));
  flows.note(0x1234567890ab0000, 60, 120);
  CHECK(flows.has(0x1234567890ab0000, 100));
  flows.forget(0x1234567890ab0000);
  CHECK_FALSE(flows.has(0x1234567890ab0000, 100));
}

TEST_CASE("proven flows grow with their number up to the limit, and those that are over make room") {
  ProvenFlows flows(4096);
  std::mt19937_64 random(test::seed());
  std::vector<SourceKey> early(2500), late(2500);
  for (auto& flow : early) flows.note(flow = random(), 0, 60);
  for (const auto flow : early) REQUIRE(flows.has(flow, 30));
  CHECK(flows.slots() == 4096);
  for (auto& flow : late) flows.note(flow = random(), 100, 160);
  for (const auto flow : late) REQUIRE(flows.has(flow, 120));
  CHECK(flows.slots() == 4096);
  // Full: what finds no room is not spared, and nothing else happens.
  for (int i = 0; i < 10000; ++i) flows.note(random(), 120, 180);
  for (const auto flow : late) REQUIRE(flows.has(flow, 120));
  CHECK(flows.slots() == 4096);
  // What was over long ago does not come back when the count of minutes begins anew.
  flows.note(random(), 40'000, 40'060);
  for (const auto flow : late) REQUIRE_FALSE(flows.has(flow, 50'000));
}

TEST_CASE("forgetting one flow loses none that stood behind it") {
  ProvenFlows flows(256);
  std::mt19937_64 random(test::seed());
  std::vector<SourceKey> all(180);
  for (auto& flow : all) flows.note(flow = random(), 0, 60);
  for (std::size_t i = 0; i < all.size(); i += 2) flows.forget(all[i]);
  for (std::size_t i = 0; i < all.size(); ++i) CHECK(flows.has(all[i], 1) == (i % 2 == 1));
}

TEST_CASE("wrong answers are counted within the window only, for each source") {
  Failures failures(kSecret, 64);
  CHECK(failures.add(5, 100, 60) == 1);
  CHECK(failures.add(5, 130, 60) == 2);
  CHECK(failures.add(6, 130, 60) == 1);
  CHECK(failures.count(5, 160, 60) == 2);
  CHECK(failures.count(5, 161, 60) == 0);
  CHECK(failures.add(5, 161, 60) == 1);
  failures.forget(5);
  CHECK(failures.count(5, 161, 60) == 0);
}

TEST_CASE("words are found wherever they stand and in whatever case") {
  const Words words({"friendly-scanner", "SIPCLI", ""});
  CHECK(words.any_in("friendly-scanner"));
  CHECK(words.any_in("the Friendly-Scanner/1"));
  CHECK(words.any_in("sipcli/v1.8"));
  CHECK_FALSE(words.any_in("friendly scanner"));
  CHECK_FALSE(words.any_in("sipcl"));
  CHECK_FALSE(words.any_in(""));
  CHECK_FALSE(Words().any_in("anything"));
}

TEST_CASE("the number an INVITE is for is read off its first line") {
  CHECK(invited_number("INVITE sip:112@example.org SIP/2.0\r\n") == "112");
  CHECK(invited_number("INVITE sips:112;phone-context=x@example.org SIP/2.0\r\n") == "112");
  CHECK(invited_number("INVITE tel:911 SIP/2.0\r\n") == "911");
  CHECK(invited_number("INVITE sip:example.org SIP/2.0\r\nTo: <sip:112@x>\r\n").empty());
  CHECK(invited_number("REGISTER sip:112@example.org SIP/2.0\r\n").empty());
  CHECK(invited_number("INVITE ").empty());
  CHECK(invited_number("").empty());
}

TEST_CASE("P-32: nothing is shed while what arrives is read to its end") {
  Overload overload;
  MonoTime now{1000s};
  for (int i = 0; i < 100; ++i, now += 10ms) overload.read(0, i % 5 == 4, now, 100ms);
  CHECK_FALSE(overload.is_shedding());
  CHECK(overload.accept());
}

TEST_CASE("P-32: once behind for long, new work is refused while much lies unread and taken on while little does") {
  Overload overload;
  MonoTime now{1000s};
  for (int i = 0; i < 10; ++i, now += 10ms) overload.read(0, false, now, 100ms);
  CHECK(overload.accept());
  overload.read(0, false, now, 100ms);
  CHECK(overload.is_shedding());
  CHECK_FALSE(overload.accept());
  overload.read(0, true, now += 1ms, 100ms);
  CHECK(overload.accept());
  overload.read(0, false, now += 1ms, 100ms);  // without waiting for the tolerance again
  CHECK_FALSE(overload.accept());

  for (int i = 0; i < 300; ++i) {  // a third of the turns
    overload.read(0, i % 3 == 0, now += 10ms, 100ms);
    overload.accept();
  }
  CHECK(overload.share() == doctest::Approx(1.0 / 3).epsilon(0.05));

  for (const auto end = now + 990ms; now < end;) overload.read(0, true, now += 10ms, 100ms);
  CHECK(overload.is_shedding());
  overload.read(0, true, now += 10ms, 100ms);
  CHECK_FALSE(overload.is_shedding());
  CHECK(overload.share() == 1);
}

TEST_CASE("P-32: a socket that is idle does not hide that another one is behind") {
  Overload overload;
  MonoTime now{1000s};
  for (int i = 0; i < 500; ++i, now += 10ms) {
    overload.read(0, false, now, 100ms);
    overload.read(1, true, now, 100ms);
  }
  CHECK(overload.is_shedding());
  CHECK_FALSE(overload.accept());
}

TEST_CASE("P-32: a tolerance of 0 sheds nothing") {
  Overload overload;
  MonoTime now{1000s};
  for (int i = 0; i < 500; ++i, now += 10ms) overload.read(0, false, now, 0ms);
  CHECK_FALSE(overload.is_shedding());
}
