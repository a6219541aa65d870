// Two far ends that do anything at any time: whatever the order, every leg is told of once and ended once, and nothing is left.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>

#include "call_world.h"

namespace jackfield::sip::call {
namespace {

/// A far end that keeps what came in and answers, repeats or begins as the dice say.
class Wild {
 public:
  Wild(FarEnd& end, std::mt19937& dice) : end_(end), dice_(dice) {}

  void act() {
    read();
    switch (roll(9)) {
      case 0:
      case 1:
      case 2:
        if (requests_.empty()) break;
        return end_.answer(requests_[roll(requests_.size())], pick({100, 180, 183, 200, 200, 200, 302, 401, 481, 486, 487, 491, 500, 503, 603}),
                           roll(2) == 0 ? sdp("answer") : std::string(), roll(8) == 0 ? "another-phone" : "");
      case 3:
        return end_.ack(roll(3) == 0 ? sdp("late") : std::string());
      case 4:
        if (!end_.last_invite.empty() && mine_) end_.cancel();
        return;
      case 5:
        if (!end_.target.empty()) end_.request("BYE");
        return;
      case 6:
        if (end_.target.empty()) break;
        mine_ = true;
        end_.request("INVITE", roll(3) == 0 ? std::string() : sdp("change"));
        return;
      case 7:
        if (!end_.target.empty()) end_.request(roll(2) == 0 ? "OPTIONS" : "UPDATE");
        return;
      default:
        if (!end_.last_invite.empty() && mine_) end_.send(end_.last_invite);
    }
  }
  void call() {
    mine_ = true;
    end_.invite(roll(4) == 0 ? std::string() : sdp("offer"));
  }

 private:
  std::size_t roll(std::size_t sides) { return dice_() % sides; }
  int pick(std::initializer_list<int> codes) { return codes.begin()[roll(codes.size())]; }
  void read() {
    for (; !end_.inbox.empty(); end_.inbox.pop_front()) {
      const auto& bytes = end_.inbox.front();
      if (bytes.starts_with("SIP/2.0 2") && !header(bytes, "Contact").empty()) {
        end_.take_answer(bytes);
      } else if (bytes.starts_with("INVITE") && end_.target.empty()) {
        const auto invite = end_.take_invite();
        requests_.push_back(invite);
        end_.inbox.push_front(invite);
      } else if (!bytes.starts_with("SIP/") && !bytes.starts_with("ACK")) {
        requests_.push_back(bytes);
      }
    }
  }

  FarEnd& end_;
  std::mt19937& dice_;
  std::vector<std::string> requests_;
  bool mine_ = false;
};

/// What came about, for the test to see that it tests something.
struct Happened {
  std::size_t answered = 0, changed = 0, cancelled = 0, refused = 0;
};

void run(unsigned seed, bool over_tcp, Happened& happened) {
  INFO("seed ", seed);
  CallWorld world;
  std::mt19937 dice(seed);
  FarEnd ann{world, "198.51.100.1:5060", over_tcp ? 5u : 0u}, bob{world, "198.51.100.2:5060"};
  bob.name = "102";
  world.bindings.all["102"] = {bob.flow, "sip:102@198.51.100.2:5060"};
  world.route = [](BusMessage& message) {
    message.set_retvalue("sip/102");
    return true;
  };
  Wild caller(ann, dice), callee(bob, dice);
  if (seed % 2 == 0) world.connect(ann, bob);
  else caller.call();
  for (unsigned step = 0; step < 40; ++step) {
    switch (dice() % 12) {
      case 0:
        world.engine.advance(std::chrono::milliseconds(dice() % 3000));
        break;
      case 1:
        if (dice() % 12 == 0) world.drop(dice() % 2 == 0 ? "sip/1" : "sip/2", "busy");
        break;
      case 2:
        if (over_tcp && dice() % 12 == 0) world.close(ann.flow);
        break;
      default:
        dice() % 2 == 0 ? caller.act() : callee.act();
    }
  }
  world.drop("sip");
  world.check_all_gone();
  std::multiset<std::string> begun, ended;
  for (const auto& one : world.all("chan.startup")) begun.insert(one.at("id"));
  for (const auto& one : world.all("chan.hangup")) ended.insert(one.at("id"));
  CHECK(begun == ended);
  CHECK(std::set<std::string>(begun.begin(), begun.end()).size() == begun.size());

  for (const auto& update : world.all("call.update")) happened.changed += update.at("operation") == "notify";
  const auto reason = world.hangup("sip/1");
  happened.answered += reason.at("status") == "answered";
  happened.cancelled += reason.at("reason") == "Cancelled";
  happened.refused += reason.at("reason") == "busy" || reason.at("reason") == "rejected" || reason.at("reason") == "forbidden";
}

TEST_CASE("Whatever two far ends do, every leg begins once and ends once, and nothing is left") {
  Happened happened;
  for (unsigned seed = 1; seed <= 600; ++seed) run(seed, seed % 3 == 0, happened);
  CHECK(std::min({happened.answered, happened.changed, happened.cancelled, happened.refused}) >= 10);
}

}  // namespace
}  // namespace jackfield::sip::call
