#include "call/router.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>

#include "call/incoming_leg.h"
#include "call/outgoing_leg.h"
#include "call/reasons.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

/// The leg while its call is still to be routed. Holds everything alive that it shows, for the length of one step.
template <class Kind>
class Step {
 public:
  Step(const std::weak_ptr<Services>& services, LegNumber number) : services_(services.lock()) {
    if (!services_) return;
    scope_.emplace(services_->legs);
    // Of that kind since it was made, and a number is never given twice.
    auto* found = static_cast<Kind*>(services_->legs.find(number));
    if (found && !found->gone()) leg_ = found;
  }
  explicit operator bool() const { return leg_ != nullptr; }
  Kind* operator->() const { return leg_; }
  Kind& operator*() const { return *leg_; }

 private:
  std::shared_ptr<Services> services_;
  std::optional<LegTable::Scope> scope_;
  Kind* leg_ = nullptr;
};

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

/// Somebody may take the call on (a second route, an announcement) before a failed call.execute ends it.
BusMessage not_executed(const Leg& leg, const BusMessage& execute, const DisconnectReason& reason) {
  auto told = leg.message(messages::kChanDisconnected);
  told.set(param::kError, reason.reason).set(param::kReason, execute.get(param::kReason));
  told.set_flag(param::kReroute, true);
  for (const auto& [name, value] : reason.parameters) told.set(name, value);
  return told;
}

Verdict dispatch(const std::weak_ptr<Services>& weak, BusMessage& message) {
  const auto services = weak.lock();
  if (!services) return false;
  const LegTable::Scope scope(services->legs);
  return services->core.engine.bus().dispatch(message);
}

}  // namespace

Task<> route_call(std::weak_ptr<Services> services, LegNumber number, BusMessage startup, BusMessage message) {
  Verdict verdict = dispatch(services, startup);
  if (!verdict.immediate()) co_await settle(std::move(verdict));

  verdict = dispatch(services, message);  // call.preroute
  if (!verdict.immediate()) co_await settle(std::move(verdict));
  {
    const Step<IncomingLeg> call(services, number);
    if (!call) co_return;
    if (is_refusal(message)) {
      call->rejected(refusal(message, "unknown"));
      co_return;
    }
    if (const auto billid = message.get(param::kBillid); !billid.empty()) call->set_billid(std::string(billid));
    ask_next(message, messages::kCallRoute);
  }

  verdict = dispatch(services, message);
  bool handled = verdict.immediate() ? verdict.handled() : co_await settle(std::move(verdict));
  {
    const Step<IncomingLeg> call(services, number);
    if (!call) co_return;
    if (const auto reason = dead_end(message, handled)) {
      call->rejected(*reason);
      co_return;
    }
    call->routed();
    make_execute(message, *call);
  }

  verdict = dispatch(services, message);
  handled = verdict.immediate() ? verdict.handled() : co_await settle(std::move(verdict));
  const auto reason = refusal(message, "noroute");
  {
    const Step<IncomingLeg> call(services, number);
    if (!call) co_return;
    if (handled) {
      call->accepted(message);
      co_return;
    }
    startup = not_executed(*call, message, reason);
  }
  verdict = dispatch(services, startup);
  handled = verdict.immediate() ? verdict.handled() : co_await settle(std::move(verdict));
  const Step<IncomingLeg> call(services, number);
  if (!call) co_return;
  if (handled) call->accepted(startup);
  else call->rejected(refusal(startup, reason.reason));
}

Task<> route_onward(std::weak_ptr<Services> services, LegNumber number, BusMessage message) {
  if (message.name() == messages::kCallRoute.name) {
    Verdict verdict = dispatch(services, message);
    const bool handled = verdict.immediate() ? verdict.handled() : co_await settle(std::move(verdict));
    const Step<OutgoingLeg> call(services, number);
    if (!call) co_return;
    if (const auto reason = dead_end(message, handled)) {
      call->drop(*reason);
      co_return;
    }
    make_execute(message, *call);
  }

  Verdict verdict = dispatch(services, message);
  bool handled = verdict.immediate() ? verdict.handled() : co_await settle(std::move(verdict));
  const auto reason = refusal(message, "noroute");
  {
    const Step<OutgoingLeg> call(services, number);
    if (!call) co_return;
    if (handled) {
      call->went_on();
      co_return;
    }
    message = not_executed(*call, message, reason);
  }
  verdict = dispatch(services, message);
  handled = verdict.immediate() ? verdict.handled() : co_await settle(std::move(verdict));
  const Step<OutgoingLeg> call(services, number);
  if (!call) co_return;
  if (handled) call->went_on();
  else call->drop(refusal(message, reason.reason));
}

}  // namespace jackfield::sip::call
