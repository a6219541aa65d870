// A server A that is away or slow: who waits for it, who is told at once, and what strangers can do with that.
#include "unit/upperreg/fixture.h"

#include <doctest/doctest.h>

using namespace jackfield;
using namespace jackfield::upperreg_test;

namespace {

using Settled = std::vector<std::optional<bool>>;

/// Asks without waiting for what comes of it.
void begin(Site& site, Message& message, std::shared_ptr<Settled> out) {
  out->emplace_back();
  site.engine().spawn("phone", [](TestEngine& engine, Message& m, std::shared_ptr<Settled> all, std::size_t n) -> Task<> {
    (*all)[n] = co_await settle(engine.bus().dispatch(m));
  }(site.engine(), message, out, out->size() - 1));
  site.engine().run_until_idle();
}

/// An A that lets everybody wait.
class Slow {
 public:
  explicit Slow(Site& site) : waiting_(std::make_shared<Pendings>(site.engine().timers())) {
    handler_ = site.engine().bus().install({.message = "upstream.register", .priority = 1}, [this](Message&) -> Verdict {
      auto turn = std::make_shared<Pending<bool>>(waiting_->open<bool>(600s));
      turns_.push_back(turn->id());
      return [](std::shared_ptr<Pendings>, std::shared_ptr<Pending<bool>> what) -> Task<bool> {
        (void)co_await what->wait();
        co_return false;
      }(waiting_, turn);
    });
  }
  std::size_t waiting() const { return turns_.size(); }
  void go_on(Site& site) {
    for (const auto turn : std::exchange(turns_, {})) waiting_->complete<bool>(turn, true);
    site.engine().run_until_idle();
  }

  void last_goes_on(Site& site) {
    waiting_->complete<bool>(turns_.back(), true);
    turns_.pop_back();
    site.engine().run_until_idle();
  }

 private:
  std::shared_ptr<Pendings> waiting_;
  std::vector<PendingId> turns_;
  Bus::Subscription handler_;
};

}  // namespace

TEST_CASE("while A is away phones are told so at once; one every few seconds finds out whether it is back") {
  Site site(kUpper);
  site.away = true;
  CHECK(site.registers({}) == "504");
  CHECK(site.registers({}) == "504");  // the first that is let through
  (void)site.seen();
  for (int i = 0; i < 10; ++i) {
    auto asked = site.upstream({.user = fmt::format("u{}", i)});
    REQUIRE(site.ask(asked));
    CHECK(asked.number("code") == 504);
    CHECK(asked.number("osip_Retry-After") == 5);
  }
  CHECK(site.seen().empty());
  site.engine().advance(3s);
  CHECK(site.registers({}) == "504");
  CHECK(site.registers({}) == "504");
  CHECK(site.seen().size() == 1);
  site.away = false;
  CHECK(site.registers({}) == "504");
  site.engine().advance(3s);
  CHECK(site.registers({}) == "200 120");
  CHECK(site.registers({.user = "e"}) == "200 120");
}

TEST_CASE("a connection that says none of its servers answers is believed") {
  Site site(kUpper);
  const auto notify = [&](bool registered) {
    auto told = site.message("user.notify", {{"account", "upper"}});
    told.set_flag("registered", registered);
    site.ask(told);
  };
  notify(false);
  CHECK(site.registers({}) == "200 120");  // who finds out
  notify(false);
  (void)site.seen();
  CHECK(site.registers({}) == "504");
  CHECK(site.seen().empty());
  notify(true);
  CHECK(site.registers({}) == "200 120");
}

TEST_CASE("no more than max_waiting phones wait for one A; others are told at once") {
  Site site("[general]\nfile=\nprobe_interval=0\nmax_waiting=2\n[upper]\nserver=a.example\nunchallenged=yes\n");
  Slow slow(site);
  auto done = std::make_shared<Settled>();
  std::vector<Message> phones;
  for (int i = 0; i < 4; ++i) phones.push_back(site.upstream({.user = fmt::format("u{}", i)}));
  for (auto& phone : phones) begin(site, phone, done);
  CHECK(slow.waiting() == 2);
  CHECK_FALSE((*done)[1].has_value());
  REQUIRE((*done)[2].has_value());
  CHECK(phones[2].number("code") == 504);
  CHECK(phones[3].number("osip_Retry-After") == 5);
  slow.go_on(site);
  CHECK(phones[0].number("code") == 200);
  CHECK(phones[1].number("code") == 200);
  auto next = site.upstream({.user = "u3"});
  begin(site, next, done);
  CHECK(slow.waiting() == 1);
  slow.go_on(site);
  CHECK(next.number("code") == 200);
}

TEST_CASE("stored: what A need not hear is granted while it is away, and a leaving is done for the phone") {
  Site site(kUpper);
  site.users["d"] = site.users["e"] = kStored;
  REQUIRE(site.registers({}) == "200 3600");
  site.engine().advance(1s);
  site.away = true;
  CHECK(site.registers({.user = "e"}) == "504");
  CHECK(site.registers({.user = "e"}) == "504");
  (void)site.seen();
  CHECK(site.registers({.user = "e"}) == "504");
  CHECK(site.registers({}).starts_with("200 "));
  CHECK(site.seen().empty());
  CHECK(site.registers({.expires = 0}) == "200 0");
  CHECK(site.bindings().empty());
}

TEST_CASE("one request that is lost, where A answered others meanwhile, is no A that is away; nor is one user's 500") {
  Site site(kBelieved);
  Slow slow(site);
  auto done = std::make_shared<Settled>();
  auto lost = site.upstream({.user = "stranger"}), other = site.upstream({});
  begin(site, lost, done);
  site.engine().advance(10s);
  begin(site, other, done);
  slow.last_goes_on(site);  // answered before the first is
  CHECK(site.seen().size() == 1);
  site.away = true;
  slow.go_on(site);
  CHECK(other.number("code") == 200);
  CHECK(lost.number("code") == 504);
  site.away = false;
  for (int i = 0; i < 3; ++i) {
    auto next = site.upstream({.user = fmt::format("u{}", i)});
    begin(site, next, done);
    slow.go_on(site);
    CHECK(next.number("code") == 200);
  }
  Site apart(kUpper);
  apart.code = 500;
  for (int i = 0; i < 3; ++i) CHECK(apart.registers({.user = "broken"}) == "500");
  apart.code = 200;
  CHECK(apart.registers({}) == "200 120");
}

TEST_CASE("credentials that A might not read are refused here") {
  Site site(kUpper);
  CHECK(site.registers({.authorization = "Digest " + std::string(3000, 'x')}) == "400");
  CHECK(site.seen().empty());
}

TEST_CASE("Thru: domains that phones make up take no room, and no server of theirs is kept") {
  Site site("[general]\nfile=\nprobe_interval=0\nmax_domains=2\nmax_aors=3\n[thru]\nthru_domains=a1.example,*.far.example\n");
  REQUIRE(site.registers({.domain = "x.far.example"}) == "200 120");
  for (int i = 0; i < 10; ++i) {
    const auto domain = fmt::format("made-up{}.far.example", i);
    site.nowhere.insert(domain);
    CHECK(site.registers({.domain = domain}) == "504");
    CHECK(site.logins.back() == fmt::format("logout thru.{} upstream {}", domain, domain));
  }
  // Those that answer, but agree to nothing, give way.
  site.code = 401;
  for (int i = 0; i < 5; ++i) CHECK(site.registers({.domain = fmt::format("refuses{}.far.example", i)}) == "401");
  site.code = 200;
  CHECK(site.registers({.domain = "a1.example"}) == "200 120");
  CHECK(site.registers({.domain = "x.far.example"}) == "200 120");
}

TEST_CASE("a REGISTER that goes round in circles has its hops counted; one of our own begins anew") {
  Site site(kUpper);
  REQUIRE(site.registers({}, {{"antiloop", "7"}}) == "200 120");
  CHECK(site.last["antiloop"] == "7");
  REQUIRE(site.registers({}) == "200 120");
  CHECK_FALSE(site.last.contains("antiloop"));
}

TEST_CASE("Thru: a stranger's Request-URI is for his own request only") {
  Site site(kThru);
  site.code = 401;
  CHECK(site.registers({.domain = "a1.example"}, {{"sip_uri", "sip:elsewhere.example"}}) == "401");
  CHECK(site.last["sip_uri"] == "sip:a1.example");
  CHECK(site.registers({.domain = "a1.example"}, {{"sip_uri", "sip:A1.example;transport=tcp"}}) == "401");
  CHECK(site.last["sip_uri"] == "sip:A1.example;transport=tcp");
  site.code = 200;
  CHECK(site.registers({.domain = "a1.example"}) == "200 120");
  CHECK(site.last["sip_uri"] == "sip:a1.example");
}

TEST_CASE("stored: a binding that A agreed to and that was never kept is taken back") {
  Site site(kUpper);
  site.users["d"] = kStored;
  auto asked = site.upstream({.authenticated = true});
  REQUIRE(site.ask(asked));
  REQUIRE(asked.number("code") == 200);
  CHECK(site.seen() == Lines{"d@a.example 3600"});
  site.engine().advance(2700s);  // no user.register came
  CHECK(site.seen() == Lines{"d@a.example 0"});
  CHECK(site.contacts.empty());
}

TEST_CASE("stored: the last phone's end while A is being asked is not forgotten") {
  Site site(kUpper);
  site.users["d"] = kStored;
  REQUIRE(site.registers({}) == "200 3600");
  (void)site.seen();
  Slow slow(site);
  site.engine().advance(2700s);
  REQUIRE(slow.waiting() == 1);
  site.unregister({{"username", "d"}, {"binding", "k1"}});
  slow.go_on(site);
  site.engine().advance(1s);
  slow.go_on(site);
  site.engine().advance(1s);
  CHECK(site.seen() == Lines{"d@a.example 3600", "d@a.example 0"});
}
