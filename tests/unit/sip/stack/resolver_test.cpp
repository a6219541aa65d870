#include "stack/resolver.h"

#include <doctest/doctest.h>

#include "support/test_engine.h"
#include "unit/sip/stack/dns_support.h"

using namespace jackfield;
using namespace jackfield::sip;
using namespace jackfield::sip::stack;
using namespace std::chrono_literals;

namespace {

using Texts = std::vector<std::string>;

struct Fixture {
  TestEngine engine;
  Zone zone;
  ResolverOptions options;
  std::unique_ptr<Resolver> resolver = make();
  std::vector<std::string> results;

  std::unique_ptr<Resolver> make() {
    return std::make_unique<Resolver>(engine, options, std::make_unique<ZoneDns>(zone), [](TransportKind, bool ipv6) { return !ipv6; });
  }
  ResolveId ask(const std::string& host, std::uint16_t port = 5060) {
    const auto id = resolver->resolve({host, port}, [this](const Resolved& resolved) {
      results.push_back(resolved ? fmt::format("{}", fmt::join(texts(*resolved), " ")) : "failed: " + resolved.error());
    });
    engine.run_until_idle();
    return id;
  }
  /// Asks, lets the zone answer, and gives the result.
  std::string resolve(const std::string& host) {
    results.clear();
    ask(host);
    zone.answer();
    engine.run_until_idle();
    REQUIRE(results.size() == 1);
    return results.front();
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "P-3: a numeric host and what is kept are known at once; a name is not") {
  zone.address("a.example", "192.0.2.1");
  CHECK(resolver->known({"192.0.2.9", 5060})->value().hops.size() == 1);
  CHECK_FALSE(resolver->known({"a.example", 5060}).has_value());
  CHECK(resolve("a.example") == "udp* 192.0.2.1:5060");
  CHECK(texts(resolver->known({"a.example", 5060})->value()) == Texts{"udp* 192.0.2.1:5060"});
  CHECK(zone.questions == Texts{"A a.example"});
}

TEST_CASE_FIXTURE(Fixture, "P-3: an answer is kept as long as it holds, and its absence as long as the zone says") {
  zone.ttl = 30s;
  zone.address("a.example", "192.0.2.1");
  resolve("a.example"), resolve("none.example");
  engine.advance(29s);
  resolve("a.example");
  CHECK(resolve("none.example") == "failed: DNS knows no address of none.example that a listener of ours reaches");
  CHECK(zone.questions.size() == 2);
  engine.advance(2s);
  resolve("a.example"), resolve("none.example");
  CHECK(zone.questions == Texts{"A a.example", "A none.example", "A a.example"});
  engine.advance(30s);
  resolve("none.example");
  CHECK(zone.questions.size() == 4);
}

TEST_CASE_FIXTURE(Fixture, "P-3: a record that holds for no time at all still serves the lookup that asked for it") {
  zone.ttl = 0s;
  zone.srv("_sip._udp.a.example", 0, 0, 5062, "b.example");
  zone.address("b.example", "192.0.2.1");
  results.clear();
  ask("a.example", 0);
  while (!zone.waiting.empty()) {
    engine.advance(1100ms);  // each answer lapses before the next comes
    zone.answer_one();
    engine.run_until_idle();
  }
  CHECK(results == Texts{"udp 192.0.2.1:5062"});
  CHECK(zone.questions.size() == 4);  // nothing twice
}

TEST_CASE_FIXTURE(Fixture, "P-3: those who ask the same thing at the same time ask once") {
  zone.address("a.example", "192.0.2.1");
  ask("a.example"), ask("a.example"), ask("a.example", 5070);
  CHECK(zone.questions.size() == 1);
  zone.answer();
  CHECK(results == Texts{"udp* 192.0.2.1:5060", "udp* 192.0.2.1:5060", "udp* 192.0.2.1:5070"});
  CHECK(resolver->open() == 0);
}

TEST_CASE_FIXTURE(Fixture, "P-3: what has lapsed serves on while the name servers fail or are silent, and at the deadline there is an answer") {
  zone.ttl = 10s;
  zone.address("a.example", "192.0.2.1");
  resolve("a.example");
  engine.advance(20s);
  zone.fail("a.example", DnsType::a);
  CHECK(resolve("a.example") == "udp* 192.0.2.1:5060");
  CHECK(zone.questions.size() == 2);
  CHECK(resolve("a.example") == "udp* 192.0.2.1:5060");  // and is not asked again for a while
  CHECK(zone.questions.size() == 2);

  results.clear();
  engine.advance(31s);
  ask("a.example"), ask("silent.example");
  engine.advance(4900ms);
  CHECK(results.empty());
  engine.advance(200ms);
  CHECK(results == Texts{"udp* 192.0.2.1:5060", "failed: Where silent.example is cannot be found out: the name servers did not answer in time"});
  CHECK(resolver->open() == 0);
  zone.answer();  // too late
  CHECK(results.size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "P-3: a failure is kept for moments only") {
  zone.fail("a.example", DnsType::a);
  CHECK(resolve("a.example") == "failed: Where a.example is cannot be found out: refused");
  resolve("a.example");
  CHECK(zone.questions.size() == 1);
  zone.records.clear();
  zone.address("a.example", "192.0.2.1");
  engine.advance(6s);
  CHECK(resolve("a.example") == "udp* 192.0.2.1:5060");
}

TEST_CASE_FIXTURE(Fixture, "P-3: who no longer wants to know is not told, nor anybody after the end") {
  zone.address("a.example", "192.0.2.1");
  const auto id = ask("a.example");
  ask("a.example");
  resolver->cancel(id);
  zone.answer();
  CHECK(results.size() == 1);
  ask("b.example");
  resolver.reset();
  zone.answer();
  engine.advance(10s);
  CHECK(results.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "P-3: only so many answers are kept, the least recently used leave first") {
  options.max_entries = 2;
  resolver = make();
  for (const auto* host : {"a.example", "b.example", "c.example"}) zone.address(host, "192.0.2.1");
  resolve("a.example"), resolve("b.example"), resolve("a.example"), resolve("c.example");
  CHECK(resolver->kept() == 2);
  CHECK(resolver->known({"a.example", 5060}).has_value());
  CHECK_FALSE(resolver->known({"b.example", 5060}).has_value());
}

TEST_CASE_FIXTURE(Fixture, "P-3: other name servers are asked what is open, and what the old ones said is forgotten") {
  zone.address("a.example", "192.0.2.1");
  zone.address("b.example", "192.0.2.2");
  resolve("a.example");
  results.clear();
  ask("b.example");
  Zone other;
  other.address("b.example", "192.0.2.9");
  resolver->configure(options, std::make_unique<ZoneDns>(other));
  CHECK_FALSE(resolver->known({"a.example", 5060}).has_value());
  zone.waiting.clear();
  other.answer();
  engine.run_until_idle();
  CHECK(results == Texts{"udp* 192.0.2.9:5060"});
  resolver.reset();
}

TEST_CASE_FIXTURE(Fixture, "P-3: a coroutine waits for where a host is, and no longer than the resolver lives") {
  zone.address("a.example", "192.0.2.1");
  std::vector<std::string> told;
  const auto wait = [](Resolver* resolver, std::string host, std::vector<std::string>* told) -> Task<> {
    auto waiting = resolver->resolved({std::move(host), 5060});
    const auto resolved = co_await std::move(waiting);
    told->push_back(resolved ? "found" : resolved.error());
  };
  engine.spawn("one", wait(resolver.get(), "a.example", &told));
  engine.run_until_idle();
  zone.answer();
  engine.run_until_idle();
  CHECK(told == Texts{"found"});
  engine.spawn("two", wait(resolver.get(), "b.example", &told));
  engine.run_until_idle();
  resolver.reset();
  engine.run_until_idle();
  CHECK(told == Texts{"found", "Nobody looks up names any more"});
}
