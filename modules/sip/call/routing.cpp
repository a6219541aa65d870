#include "call/routing.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>

#include <utility>

#include "call/reasons.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

/// The same message asked anew under another name, as far as handlers can tell.
void ask_next(BusMessage& message, std::string_view name) {
  message.rename(name);
  message.set_retvalue({});
  message.erase(param::kHandlers);
}

/// Why what call.route answered leads nowhere; nothing: it leads on.
std::optional<DisconnectReason> dead_end(const BusMessage& message, bool handled) {
  const bool refused = is_refusal(message);
  if (refused || !handled || message.retvalue().empty()) return refusal(message, refused ? "unknown" : "noroute");
  if (message.number(param::kAntiloop, 1) <= 0) return DisconnectReason{"looping"};
  return std::nullopt;
}

/// The call.route becomes the call.execute of where it leads.
void make_execute(BusMessage& message, const Channel& caller) {
  message.set(param::kCallto, message.retvalue());
  message.set(param::kStatus, caller.status());
  if (message.get(param::kRtpForward) == "possible") message.set(param::kRtpForward, "yes");
  message.erase(param::kError);
  message.erase(param::kReason);
  message.attach(std::make_shared<ChannelHandle>(ChannelHandle{caller.id()}));
  ask_next(message, messages::kCallExecute);
}

/// Asks whether somebody takes the call on that could not be executed.
void describe_failure(BusMessage& told, const BusMessage& execute, const DisconnectReason& reason) {
  told.set(param::kError, reason.reason).set(param::kReason, execute.get(param::kReason));
  told.set_flag(param::kReroute, true);
  for (const auto& [name, value] : reason.parameters) told.set(name, value);
}

Verdict dispatch(const std::weak_ptr<Services>& weak, BusMessage& message) {
  const auto services = weak.lock();
  if (!services) return false;
  const LegTable::Scope scope(services->legs);
  return services->core.engine.bus().dispatch(message);
}

/// What the answer to `message` means. True: it is another message now, to be asked next.
bool go_on(Services& services, RoutedCall& call, BusMessage& message, bool handled, DisconnectReason& failure) {
  const Channel* caller = call.waiting(services);
  if (!caller) return false;
  if (message.name() == messages::kCallPreroute.name) {
    if (is_refusal(message)) return call.rejected(services, refusal(message, "unknown")), false;
    call.prerouted(services, message);
    ask_next(message, messages::kCallRoute);
    return true;
  }
  if (message.name() == messages::kCallRoute.name) {
    if (const auto reason = dead_end(message, handled)) return call.rejected(services, *reason), false;
    call.routed(services);
    make_execute(message, *caller);
    return true;
  }
  if (handled) return call.accepted(services, message), false;
  if (message.name() == messages::kCallExecute.name) {
    failure = refusal(message, "noroute");
    if (auto question = call.takeover(services)) {
      describe_failure(*question, message, failure);
      message = std::move(*question);
      return true;
    }
    return call.rejected(services, failure), false;
  }
  call.rejected(services, refusal(message, failure.reason));
  return false;
}

}  // namespace

Task<> route(std::weak_ptr<Services> weak, std::unique_ptr<RoutedCall> call, BusMessage message, std::optional<BusMessage> before) {
  if (before) {
    Verdict verdict = dispatch(weak, *before);
    if (!verdict.immediate()) co_await settle(std::move(verdict));
  }
  DisconnectReason failure;
  for (bool asks = true; asks;) {
    Verdict verdict = dispatch(weak, message);
    const bool handled = verdict.immediate() ? verdict.handled() : co_await settle(std::move(verdict));
    // Only for the length of a step: whatever it shows may be gone after the next wait.
    const auto services = weak.lock();
    if (!services) co_return;
    const LegTable::Scope scope(services->legs);
    asks = go_on(*services, *call, message, handled, failure);
  }
}

}  // namespace jackfield::sip::call
