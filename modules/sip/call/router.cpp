#include "call/router.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>

#include "call/incoming_leg.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

/// The leg while its call is still to be routed. Holds everything alive that it shows, for the length of one step.
class Step {
 public:
  Step(const std::weak_ptr<Services>& services, LegNumber number) : services_(services.lock()) {
    if (!services_) return;
    scope_.emplace(services_->legs);
    // Only callers are routed, and a number is never given twice.
    auto* found = static_cast<IncomingLeg*>(services_->legs.find(number));
    if (found && !found->gone()) leg_ = found;
  }
  explicit operator bool() const { return leg_ != nullptr; }
  IncomingLeg* operator->() const { return leg_; }
  Bus& bus() const { return services_->core.engine.bus(); }

 private:
  std::shared_ptr<Services> services_;
  std::optional<LegTable::Scope> scope_;
  IncomingLeg* leg_ = nullptr;
};

bool is_refusal(const BusMessage& message) { return message.retvalue() == "-" || message.retvalue() == "error"; }

DisconnectReason refusal(const BusMessage& message, std::string_view fallback) {
  DisconnectReason reason{std::string(message.get(param::kError, fallback))};
  if (reason.reason.empty()) reason.reason = fallback;
  for (const std::string_view name : {std::string_view(param::kCauseSip), std::string_view(param::kReasonSip)})
    if (message.has(name)) reason.parameters.emplace_back(name, message.get(name));
  return reason;
}

/// The same message asked anew under another name, as far as handlers can tell.
void ask_next(BusMessage& message, std::string_view name) {
  message.rename(name);
  message.set_retvalue({});
  message.erase(param::kHandlers);
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
    const Step call(services, number);
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
    const Step call(services, number);
    if (!call) co_return;
    const bool refused = is_refusal(message);
    if (refused || !handled || message.retvalue().empty()) {
      call->rejected(refusal(message, refused ? "unknown" : "noroute"));
      co_return;
    }
    if (message.number(param::kAntiloop, 1) <= 0) {
      call->rejected({"looping"});
      co_return;
    }
    call->routed();
    message.set(param::kCallto, message.retvalue());
    message.set(param::kStatus, call->status());
    if (message.get(param::kRtpForward) == "possible") message.set(param::kRtpForward, "yes");
    message.erase(param::kError);
    message.erase(param::kReason);
    message.attach(std::make_shared<ChannelHandle>(ChannelHandle{call->id()}));
    ask_next(message, messages::kCallExecute);
  }

  verdict = dispatch(services, message);
  handled = verdict.immediate() ? verdict.handled() : co_await settle(std::move(verdict));
  const auto reason = refusal(message, "noroute");
  {
    const Step call(services, number);
    if (!call) co_return;
    if (handled) {
      call->accepted(message);
      co_return;
    }
    // Somebody may take the call on (a second route, an announcement) before it is refused.
    startup = call->message(messages::kChanDisconnected);
    startup.set(param::kError, reason.reason).set(param::kReason, message.get(param::kReason));
    startup.set_flag(param::kReroute, true);
    for (const auto& [name, value] : reason.parameters) startup.set(name, value);
  }
  verdict = dispatch(services, startup);
  handled = verdict.immediate() ? verdict.handled() : co_await settle(std::move(verdict));
  const Step call(services, number);
  if (!call) co_return;
  if (handled) call->accepted(startup);
  else call->rejected(refusal(startup, reason.reason));
}

}  // namespace jackfield::sip::call
