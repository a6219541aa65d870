#include "call/begin_call.h"

#include <jackfield/messages/call.h>

#include <utility>

#include "call/outgoing_leg.h"
#include "call/target.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

/// A call that begins here has nobody yet, and somebody or something to go on to.
bool begins_call(const BusMessage& message) { return !message.get(param::kTarget).empty() || !message.get(param::kDirect).empty(); }

bool refuse(BusMessage& message, const NoTarget& why) {
  message.set(param::kError, why.error).set(param::kReason, why.reason);
  return false;
}

bool no_target(const Services& services, BusMessage& message, const NoTarget& why) {
  const auto* caller = message.payload<ChannelHandle>();
  services.core.log.info("event=no_target channel={} callto={} error={} reason={}", caller ? caller->id : "-", log_value(message.get(param::kCallto)), why.error,
                         log_value(why.reason));
  return refuse(message, why);
}

/// There is a way: the leg is made and calls.
bool begin(Services& services, Target target, BusMessage& message) {
  const LegTable::Scope scope(services.legs);
  const auto* caller = message.payload<ChannelHandle>();
  name_number(target, message.get(param::kUser));
  if (target.line)
    for (const auto& [name, value] : target.line->exit.parameters) message.set(name, value);
  if (!caller) {
    if (!message.has(param::kBillid)) message.set(param::kBillid, services.core.engine.channels().next_billid());
    // His phone shows to whom he is about to talk.
    if (message.get(param::kCaller).empty() && message.has(param::kTarget)) message.set(param::kCaller, message.get(param::kTarget));
  }
  auto& leg = static_cast<OutgoingLeg&>(services.legs.add(std::make_unique<OutgoingLeg>(services, std::move(target), message)));
  for (const auto& secret : {param::kPassword, param::kHa1Md5, param::kHa1Sha256}) message.erase(secret);  // whoever sees the message after us needs none
  if (!caller) {
    leg.set_target(std::string(message.get(param::kId)));  // what whoever begins the call goes by, as long as the leg has no peer
    leg.go_on_to(message);
    message.set(param::kId, leg.id()).set(param::kTargetid, leg.id());
    leg.call(message);
    return true;
  }
  services.core.engine.channels().connect(caller->id, leg.id());
  message.set(param::kPeerid, leg.id()).set(param::kTargetid, leg.id());
  leg.call(message);
  return true;
}

/// Where it goes has to be looked up; by then the caller may be gone.
Task<bool> begin_later(std::weak_ptr<Services> weak, std::unique_ptr<Target> target, BusMessage* message) {
  const Core* core = nullptr;
  if (const auto held = weak.lock()) core = &held->core;
  if (!core) co_return false;
  auto lookup = aim_at_last(core, weak, target.get());
  const auto found = co_await std::move(lookup);
  const auto services = weak.lock();
  if (!services) co_return false;
  const bool emergency = message->flag(param::kEmergency, false);
  if (!emergency && services->core.engine.draining()) co_return refuse(*message, {"shutdown", "Shutting down"});
  const auto* caller = message->payload<ChannelHandle>();
  if (caller && !services->core.engine.channels().find(caller->id)) co_return refuse(*message, {"nocall", "The caller is gone"});
  if (found != Aim::ready) co_return no_target(*services, *message, nowhere(*target));
  co_return begin(*services, std::move(*target), *message);
}

}  // namespace

Verdict begin_call(const std::shared_ptr<Services>& held, BusMessage& message) {
  const auto callto = our_target(message.get(param::kCallto));
  if (!callto) return false;
  const auto* caller = message.payload<ChannelHandle>();
  if (!caller && !begins_call(message)) return false;
  auto& services = *held;
  const bool emergency = message.flag(param::kEmergency, false);
  if (!emergency && services.core.engine.draining()) return refuse(message, {"shutdown", "Shutting down"});
  if (!emergency && services.is_full()) return refuse(message, {"congestion", "Too many calls"});
  // Before there is a leg: one that nobody heard of begin has no end to tell either.
  if (caller && !services.core.engine.channels().find(caller->id)) return refuse(message, {"nocall", "The caller is gone"});
  auto target = find_target(services.core, services.bindings, *callto, message);
  if (!target) return no_target(services, message, target.error());
  switch (aim(services.core, *target)) {
    case Aim::ready: return begin(services, std::move(*target), message);
    case Aim::nowhere: return no_target(services, message, nowhere(*target));
    case Aim::unknown: break;
  }
  return begin_later(held, std::make_unique<Target>(std::move(*target)), &message);
}

}  // namespace jackfield::sip::call
