// The property that stands above all others of a B2BUA: whatever phones that keep to the RFCs do, in whatever order, over whatever
// network, nothing of a call is left when it is over, and every phone has been told that it is.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <list>
#include <set>

#include "free_phone.h"
#include "support/seed.h"

#include <jackfield/pending.h>

namespace jackfield::sip::call {
namespace {

/// A route that takes its time.
Task<bool> routed_late(BusMessage& message, std::string target, Pending<bool> pause) {
  (void)co_await pause.wait();
  message.set_retvalue(target);
  co_return true;
}

class Run {
 public:
  explicit Run(std::uint64_t seed) : dice_(seed), world_(seed), baseline_(world_.engine.timers().running()) {
    auto& call = world_.settings->call;
    call.maxcall = dice_.pick<Duration>({10s, 60s, 180s});
    call.session = {.interval = dice_.pick({0u, 90u, 90u, 200u}), .minimum = 90};
    call.drop_on_close = dice_.chance(20);
    world_.settings->prack = dice_.chance(50);
    for (const auto& [name, host] : {std::pair{"101", 1}, std::pair{"102", 2}, std::pair{"103", 3}}) {
      phones_.emplace_back(network_, name, fmt::format("198.51.100.{}:5060", host), dice_.chance(20) ? ++connections_ : 0);
      registered(phones_.back());
    }
    world_.route = [this](BusMessage& message) -> Verdict {
      const std::string called(message.get("called"));
      if (called.size() != 3 || called > "103") return false;
      if (dice_.chance(20)) return routed_late(message, "sip/" + called, pauses_.open<bool>(dice_.within(400ms)));
      message.set_retvalue("sip/" + called);
      return true;
    };
  }
  ~Run() { world_.route = [](BusMessage&) { return false; }; }

  void play() {
    const unsigned steps = 10 + static_cast<unsigned>(dice_.roll(50));
    const bool someone_dies = dice_.chance(8);
    phones_.front().call("102");
    for (unsigned step = 0; step < steps; ++step) {
      world_.engine.advance(dice_.within(dice_.chance(3) ? Duration(30s) : Duration(700ms)));
      auto& one = phone(dice_.roll(phones_.size()));
      one.act(phone(dice_.roll(phones_.size())));
      if (one.as_seen().connection != 0 && dice_.chance(2)) cut(one);
      if (dice_.chance(1)) world_.drop(fmt::format("sip/{}", 1 + dice_.roll(4)), "busy");
      if (someone_dies && step == steps / 2) one.die(), died_ = true;
    }
    for (auto& one : phones_) one.calm_down();
    // Whatever was begun comes to its end: unanswered calls (maxcall), transactions (64*T1), sessions with those who fell silent.
    world_.engine.advance(600s);
    check_agreement();
    hang_up();
    check_nothing_left();
  }

  std::map<std::string, unsigned> saw() const {
    std::map<std::string, unsigned> all;
    for (const auto& one : phones_)
      for (const auto& [what, count] : one.saw()) all[what] += count;
    return all;
  }
  std::size_t startups() const { return world_.all("chan.startup").size(); }

 private:
  FreePhone& phone(std::size_t number) { return *std::next(phones_.begin(), static_cast<std::ptrdiff_t>(number)); }
  void registered(const FreePhone& one) {
    const auto uri = fmt::format("sip:{}@{}", one.user(), one.as_seen().remote.text());
    BindingTarget target{.flow = one.as_seen(), .request_uri = uri, .route = {}, .username = one.user()};
    if (one.as_seen().connection != 0) {
      target.device = Device{one.user(), "key"};
      world_.bindings.connections[one.user()] = one.as_seen();
    }
    world_.bindings.all[one.user()] = target;
  }
  void cut(FreePhone& one) {
    const auto old = one.as_seen();
    one.reconnect(++connections_);
    registered(one);
    world_.close(old);
  }
  std::size_t open() const {
    std::size_t count = 0;
    for (const auto& one : phones_) count += one.dead() ? 0 : one.open();
    return count;
  }
  std::string open_calls() {
    std::string text;
    for (const auto& one : phones_)
      if (!one.dead()) text += one.open_calls();
    for (const Channel* channel : world_.engine.channels().all()) text += fmt::format("{} peer={}; ", channel->id(), channel->peer());
    return text;
  }

  /// The server and the phones are of one mind about which calls there are.
  void check_agreement() {
    INFO(open_calls());
    const bool forgets_the_dead = !died_ || world_.settings->call.session.interval != 0;
    if (forgets_the_dead) CHECK(world_.calls->legs() == open());
    else CHECK(world_.calls->legs() >= open());
    for (const Channel* channel : world_.engine.channels().all()) {
      INFO(channel->id());
      CHECK_FALSE(channel->peer().empty());
    }
  }
  /// One side of each call hangs up; the other is told.
  void hang_up() {
    for (std::size_t calls = 0; open() != 0 && calls < 12; ++calls) {
      const auto before = open();
      auto& one = phone(dice_.roll(phones_.size()));
      if (one.dead() || !one.hang_up()) continue;
      world_.engine.advance(70s);
      INFO(open_calls());
      CHECK(open() + 2 <= before + (died_ ? 1 : 0));
    }
    for (auto& one : phones_)
      while (!one.dead() && one.open() != 0 && one.hang_up()) world_.engine.advance(70s);
    if (died_) world_.drop("sip");
  }
  void check_nothing_left() {
    world_.check_all_gone();
    INFO(open_calls());
    CHECK(open() == 0);
    for (const auto& one : phones_) CHECK((one.dead() || one.transactions() == 0));
    CHECK(world_.calls->transfers() == 0);
    CHECK(pauses_.open_count() == 0);
    CHECK(world_.engine.core().idle());
    CHECK(world_.engine.core().running_tasks() == 0);
    CHECK(world_.engine.timers().running() == baseline_);
    std::multiset<std::string> begun, ended;
    for (const auto& one : world_.all("chan.startup")) begun.insert(one.at("id"));
    for (const auto& one : world_.all("chan.hangup")) ended.insert(one.at("id"));
    std::string missing;
    for (const auto& id : begun)
      if (ended.count(id) != 1) missing += id + " ";
    for (const auto& id : ended)
      if (!begun.contains(id)) missing += id + " not begun; ";
    CHECK(missing == "");
    CHECK(std::set<std::string>(begun.begin(), begun.end()).size() == begun.size());
  }

  Dice dice_;
  CallWorld world_;
  std::size_t baseline_;
  Pendings pauses_{world_.engine.timers()};
  LossyNetwork network_{world_, dice_,
                        {.lost = dice_.pick({0u, 0u, 5u, 20u}), .repeated = dice_.pick({0u, 5u, 20u}),
                         .late = dice_.pick<Duration>({0ms, 20ms, 20ms, 300ms, 2000ms})}};
  std::list<FreePhone> phones_;
  std::uint32_t connections_ = 0;
  bool died_ = false;
};

std::size_t runs() {
  const char* const length = std::getenv("JACKFIELD_TEST_LENGTH");
  return length && std::strcmp(length, "long") == 0 ? 20'000 : 300;
}

TEST_CASE("P-10: Whatever phones do over whatever network, every one of them learns that its call is over, and nothing is left") {
  const std::uint64_t first = test::seed();
  std::map<std::string, unsigned> saw;
  std::size_t legs = 0;
  for (std::uint64_t seed = first; seed < first + runs(); ++seed) {
    INFO("replay: JACKFIELD_TEST_SEED=", seed, " test_sip --test-case='P-10: Whatever*' --abort-after=1");
    Run run(seed);
    run.play();
    legs += run.startups();
    for (const auto& [what, count] : run.saw()) saw[what] += count;
  }
  // It tested something.
  std::string text;
  for (const auto& [what, count] : saw) text += fmt::format("{}: {}, ", what, count);
  INFO(legs, " legs; ", text);
  CHECK(legs > 2 * runs());
  for (const auto* what : {"INVITE 200", "INVITE 486", "INVITE 487", "INVITE 491", "INVITE 603", "UPDATE 200", "PRACK 200", "REFER 202", "BYE 200", "<INVITE", "<CANCEL",
                           "<BYE", "<PRACK", "<UPDATE", "<NOTIFY", "<INFO", "<MESSAGE"}) {
    INFO(what);
    CHECK(saw[what] > 0);
  }
}

}  // namespace
}  // namespace jackfield::sip::call
