// A caller, a fork, and legs that the test plays.
#pragma once

#include "forks.h"
#include "plan.h"
#include "refusals.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/test_engine.h"

namespace jackfield::callfork {

using namespace std::chrono_literals;
namespace param = messages::param;

class Leg final : public Channel {
 public:
  Leg(ChannelTable& table, std::string id, ChannelDirection direction) : Channel(std::move(id), "leg", direction), table_(table) { table_.add(*this); }
  ~Leg() override { table_.remove(*this); }

 private:
  ChannelTable& table_;
};

struct Told {
  std::string id, reason, cause;
  bool operator==(const Told&) const = default;
};
struct Fixture {
  TestEngine engine;
  std::shared_ptr<Forks> forks = std::make_shared<Forks>(engine, 4000ms);
  std::unique_ptr<Leg> caller = std::make_unique<Leg>(engine.channels(), "leg/caller", ChannelDirection::incoming);
  std::map<std::string, std::unique_ptr<Leg>> legs;              ///< by target
  std::vector<std::string> called;                               ///< targets, in order
  std::map<std::string, std::map<std::string, std::string>> asked;  ///< parameters of each target's call.execute
  std::vector<Told> dropped;                                     ///< call.drop of legs, the caller's among them
  std::vector<std::string> heard;                                ///< what reached the caller
  std::vector<std::string> replaced;
  std::vector<Bus::Subscription> handlers;

  Fixture() {
    forks->start();
    install(messages::kCallExecute, 90, [this](Message& message) {
      const std::string target(message.get(param::kCallto));
      if (!target.starts_with("leg/")) return false;
      called.push_back(target);
      for (const auto& [name, value] : message.parameters()) asked[target].emplace(name, value);
      if (target == "leg/offline") {
        message.set(param::kError, "offline");
        return false;
      }
      legs[target] = std::make_unique<Leg>(engine.channels(), target, ChannelDirection::outgoing);
      return engine.channels().connect(message.payload<ChannelHandle>()->id, target);
    });
    install(messages::kCallDrop, 60, [this](Message& message) {
      const std::string id(message.get(param::kId));
      if (!id.starts_with("leg/")) return false;
      dropped.push_back({id, std::string(message.get(param::kReason)), std::string(message.get(param::kCauseSip))});
      legs.erase(id);
      return true;
    });
    for (const messages::MessageName* name : {&messages::kCallRinging, &messages::kCallProgress, &messages::kCallAnswered})
      install(*name, 100, [this](Message& message) {
        if (message.get(param::kPeerid) != "leg/caller") return false;
        CHECK(message.get(param::kTargetid) == "leg/caller");
        heard.push_back(fmt::format("{} {}", message.name(), message.get(param::kId)));
        return true;
      });
    install(messages::kChanReplaced, 100, [this](Message& message) {
      replaced.push_back(fmt::format("{} {} {} {}", message.get("id"), message.get("newid"), message.get("peerid"), message.get("id.1")));
      return false;
    });
  }
  ~Fixture() {
    legs.clear();
    caller.reset();
    engine.run_until_idle();
    CHECK(forks->size() == 0);
    CHECK(engine.channels().size() == 0);
  }
  template <class Answer>
  void install(const messages::MessageName& name, int priority, Answer answer) {
    handlers.push_back(engine.bus().install({.message = name, .priority = priority}, [answer](Message& message) -> Verdict { return answer(message); }));
  }

  bool execute(std::string_view callto, const std::vector<std::pair<std::string, std::string>>& parameters = {}) {
    Message message(messages::kCallExecute);
    message.set(param::kId, "leg/caller").set(param::kCallto, callto).set(param::kCaller, "101").set(param::kBillid, "1-1");
    for (const auto& [name, value] : parameters) message.set(name, value);
    message.attach(std::make_shared<ChannelHandle>(ChannelHandle{"leg/caller"}));
    const bool handled = engine.dispatch(message).value_or(false);
    error = message.get(param::kError);
    engine.run_until_idle();
    return handled;
  }
  std::string error;
  bool says(const std::string& leg, const messages::MessageName& name) {
    Message message(name);
    if (const auto found = legs.find(leg); found != legs.end()) found->second->complete(message);
    const bool handled = engine.dispatch(message).value_or(false);
    engine.run_until_idle();
    return handled;
  }
  void rings(const std::string& leg) {
    legs.at(leg)->set_heard();
    says(leg, messages::kCallRinging);
  }
  void ends(const std::string& leg, const std::string& reason, const std::string& cause = {}) {
    DisconnectReason why{reason};
    if (!cause.empty()) why.parameters.emplace_back("cause_sip", cause);
    engine.channels().disconnect(leg, why);
    legs.erase(leg);
    engine.run_until_idle();
  }
  std::vector<std::string> take_called() { return std::exchange(called, {}); }
  std::vector<Told> take_dropped() { return std::exchange(dropped, {}); }
};

using Names = std::vector<std::string>;
using Drops = std::vector<Told>;

}  // namespace jackfield::callfork
