#include "call/peer_update.h"

#include <jackfield/messages/call.h>

#include "call/leg.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

BusMessage update_for_peer(const Leg& leg, std::string_view operation, std::string_view sdp) {
  auto message = leg.message(messages::kCallUpdate);
  message.set(param::kOperation, operation);
  if (!sdp.empty()) message.set(param::kRtpForward, "yes").set(param::kSdpRaw, sdp);
  return message;
}

Bus& bus_of(const Leg& leg) { return leg.services().core.engine.bus(); }

}  // namespace

void tell_peer(const Leg& leg, std::string_view sdp) { bus_of(leg).enqueue(update_for_peer(leg, "notify", sdp)); }

void tell_refusal(const Leg& leg, const DisconnectReason& reason) {
  auto message = update_for_peer(leg, "reject", {});
  message.set(param::kError, reason.reason);
  for (const auto& [name, value] : reason.parameters) message.set(name, value);
  bus_of(leg).enqueue(std::move(message));
}

void ask_peer(const Leg& leg, stack::ServerTransactionId request, const PeerRequest& what, Unhandled unhandled) {
  auto message = update_for_peer(leg, what.operation, what.sdp);
  if (what.method == Method::update) message.set(param::kMethod, method_name(what.method));
  bus_of(leg).enqueue(std::move(message), [weak = leg.services().self, number = leg.number(), request, unhandled, otherwise = what.otherwise](BusMessage& asked, bool handled) {
    const auto services = weak.lock();
    if (handled || !services) return;
    const LegTable::Scope scope(services->legs);
    if (Leg* leg = services->legs.find(number)) unhandled(*leg, request, code_of(asked.get(param::kError)).value_or(otherwise));
  });
}

FinalAnswer refusal_in(const BusMessage& reject) {
  DisconnectReason reason{std::string(reject.get(param::kError))};
  for (const std::string_view name : {std::string_view(param::kCauseSip), std::string_view(param::kReasonSip)})
    if (reject.has(name)) set_parameter(reason, name, reject.get(name));
  return final_answer(reason, kNotAcceptable);
}

}  // namespace jackfield::sip::call
