#include "call/pickup.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>

#include "call/refer.h"
#include "settings.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

/// What was said about this sender alone, or about everybody.
TransferPolicy policy_for(const Services& services, const Sender& sender) {
  for (const auto& [name, value] : sender.parameters)
    if (name == param::kTransfer.name) return parse_boolean(value).value_or(false) ? TransferPolicy::anyone : TransferPolicy::nobody;
  return services.core.settings->transfer;
}

/// A call that rings is anybody's of the house to pick up; in one that is answered two people speak, and it goes on at another phone of
/// the same user only (RFC 3891 §3: the one who is replaced must have allowed it).
bool may_replace(TransferPolicy policy, const Sender& sender, const Leg& replaced) {
  if (policy != TransferPolicy::users) return policy == TransferPolicy::anyone;
  return !replaced.answered() || (!replaced.user().empty() && replaced.user() == sender.username);
}

/// RFC 3326 §3.1: a phone that rang and was picked up elsewhere shows no missed call.
DisconnectReason picked_up(const Leg& replaced) {
  if (replaced.answered()) return {"replaced"};
  return {"pickup", {{std::string(param::kCauseSip), "200"}, {std::string(param::kReasonSip), "Call completed elsewhere"}}};
}

/// The call is answered already: its far end is offered the new leg's description, and its answer answers the INVITE.
void take_over(Services& services, IncomingLeg& leg, std::string_view description) {
  leg.take_over();
  auto request = leg.message(messages::kCallUpdate);
  request.set(param::kOperation, "request");
  if (!description.empty()) request.set(param::kRtpForward, "yes").set(param::kSdpRaw, description);
  services.core.engine.bus().enqueue(std::move(request), [weak = services.self, number = leg.number()](BusMessage& asked, bool handled) {
    const auto services = weak.lock();
    if (handled || !services) return;
    const LegTable::Scope scope(services->legs);
    if (Leg* leg = services->legs.find(number)) leg->drop({std::string(asked.get(param::kError, "unacceptable"))});
  });
}

/// The call rings: the new leg answers it. Both far ends have made an offer, and each gets the other's for an answer: phones that
/// pick up for each other speak the same kinds of media. What they then agree on is settled once both are acknowledged
/// (join_sessions).
void answer_ringing(Services& services, const IncomingLeg& leg, std::string_view description) {
  auto answer = leg.message(messages::kCallAnswered);
  answer.set(param::kRtpForward, "yes").set(param::kSdpRaw, description);
  services.core.engine.bus().enqueue(std::move(answer), [weak = services.self, number = leg.number()](BusMessage&, bool handled) {
    const auto services = weak.lock();
    if (!services) return;
    const LegTable::Scope scope(services->legs);
    auto* leg = static_cast<IncomingLeg*>(services->legs.find(number));
    if (!leg || leg->gone() || (handled && leg->takes_over())) return;
    const Leg* caller = handled ? services->leg_of(leg->peer()) : nullptr;
    if (!caller || caller->direction() != ChannelDirection::incoming) return leg->drop({"nocall"});
    BusMessage back(messages::kCallAnswered);
    back.set(param::kId, caller->id()).set(param::kSdpRaw, static_cast<const IncomingLeg*>(caller)->offer());
    leg->answer(back);
  });
}

}  // namespace

Replaced find_replaced(const Services& services, const Message& invite, const Sender& sender) {
  const auto wanted = parse_replaces(invite.value(HeaderId::replaces));
  if (!wanted || invite.has(HeaderId::refer_to)) return {.refused = 400};
  const auto policy = policy_for(services, sender);
  if (policy == TransferPolicy::nobody || (policy == TransferPolicy::users && sender.kind != Sender::Kind::user)) return {.refused = 403};
  const Leg* leg = services.legs.find(stack::DialogKeyView{wanted->call_id, wanted->to_tag});
  if (!leg || !leg->is_far_tag(wanted->from_tag)) return {.refused = 481};
  if (leg->gone()) return {.refused = 603};
  if (leg->answered() && wanted->early_only) return {.refused = 486};
  if (!may_replace(policy, sender, *leg)) return {.refused = 403};
  // An early dialog is replaced where we began it: the phone rings, and another one answers.
  if (leg->peer().empty() || (!leg->answered() && leg->direction() == ChannelDirection::incoming)) return {.refused = 481};
  return {.leg = leg->number()};
}

void take_place(Services& services, IncomingLeg& leg, Leg& replaced, std::string_view description) {
  const bool answered = replaced.answered();
  const std::string peer = replaced.peer();
  services.core.log.info("event=pickup channel={} replaces={} peer={} user={}", leg.id(), replaced.id(), peer, log_value(leg.user()));
  leg.set_billid(replaced.billid());
  leg.accepted(BusMessage(messages::kCallExecute));
  if (!answered && description.empty()) return leg.drop({"unacceptable"});  // it wants an offer, and the caller made his already

  BusMessage told(messages::kChanReplaced, services.core.engine.clock().wall());
  told.set_broadcast(true);
  told.set(param::kId, replaced.id()).set(param::kNewid, leg.id()).set(param::kPeerid, peer);
  services.core.engine.bus().enqueue(std::move(told));
  services.core.engine.channels().connect(leg.id(), peer, picked_up(replaced));
  if (answered) take_over(services, leg, description);
  else answer_ringing(services, leg, description);
}

}  // namespace jackfield::sip::call
