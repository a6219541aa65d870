#include "call/calls.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>

#include <chrono>

#include "answer.h"
#include "call/begin_call.h"
#include "call/control.h"
#include "call/description.h"
#include "call/incoming_leg.h"
#include "call/outgoing_leg.h"
#include "call/passing.h"
#include "call/pickup.h"
#include "call/router.h"
#include "call/session_join.h"
#include "guard/guard.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

constexpr Duration kDrainLimit{800};  // the engine cuts a drain off after a second; what then still waits must be ended before
constexpr unsigned long kRetryAfter = 5;  // s, with a 503 of our own

}  // namespace

Calls::Calls(Core& core, Admission& admission, const BindingTable& bindings)
    : services_(new Services{core, admission, bindings}), waits_(core.engine.timers()) {
  services_->self = services_;
  services_->transfers = &transfers_;
  services_->redirects = &redirects_;
  services_->referrals = &referrals_;
  services_->timers = core.engine.timers().add_sink([this](std::uint64_t id) { timer(id); });
}

Calls::~Calls() {
  stop();
  services_->core.engine.timers().remove_sink(services_->timers);
}

void Calls::start() {
  auto& bus = services_->core.engine.bus();
  const auto install = [&](const messages::MessageName& name, int priority, Handler handler) {
    handlers_.push_back(bus.install({.message = name, .priority = priority, .track = "sip"}, std::move(handler)));
  };
  install(messages::kCallExecute, 90, [this](BusMessage& message) { return execute(message); });
  install(messages::kCallRinging, 100, [this](BusMessage& message) -> Verdict { return ringing(180, message); });
  install(messages::kCallProgress, 100, [this](BusMessage& message) -> Verdict { return ringing(183, message); });
  install(messages::kCallAnswered, 100, [this](BusMessage& message) -> Verdict { return answered(message); });
  install(messages::kCallUpdate, 100, [this](BusMessage& message) -> Verdict { return update(message); });
  install(messages::kChanDtmf, 100, [this](BusMessage& message) -> Verdict { return passes(message, &send_digits); });
  install(messages::kChanText, 100, [this](BusMessage& message) -> Verdict { return passes(message, &send_text); });
  install(messages::kCallDrop, 60, [this](BusMessage& message) -> Verdict { return drop(message); });
  install(messages::kChanConnected, 100, [this](BusMessage& message) -> Verdict {
    const LegTable::Scope scope(services_->legs);
    if (Leg* leg = services_->leg_of(message.get(param::kId))) join_sessions(*leg);
    return false;
  });
  install(messages::kChanControl, 90, [this](BusMessage& message) -> Verdict { return control(*services_, message); });
  transfers_.start();
  redirects_.start();
  referrals_.start();
}

void Calls::stop() {
  handlers_.clear();
  transfers_.stop();
  redirects_.stop();
  referrals_.stop();
  waits_.stop();
  services_->legs.clear();
}

Task<> Calls::drain() {
  {
    const LegTable::Scope scope(services_->legs);
    for (const LegNumber number : services_->legs.numbers())
      if (Leg* leg = services_->legs.find(number)) leg->drop({"shutdown"});
  }
  if (services_->legs.size() == 0) co_return;
  auto idle = waits_.open<bool>(kDrainLimit);
  idle_ = idle.id();
  services_->legs.on_empty([this] { waits_.complete<bool>(idle_, true); });
  const std::weak_ptr<Services> weak = services_;
  co_await idle.wait();
  const auto services = weak.lock();  // a drain that was cut off may come back when this is gone
  if (!services) co_return;
  const LegTable::Scope scope(services->legs);
  for (const LegNumber number : services->legs.numbers())
    if (Leg* leg = services->legs.find(number)) leg->end_without_ack();
}

// From the wire.

bool Calls::request(const stack::IncomingRequest& request) {
  const LegTable::Scope scope(services_->legs);
  const auto& to = request.message.to();
  const auto method = request.message.method();
  if (to && !to->tag.empty() && method != Method::reg) {
    in_dialog(request);
    return true;
  }
  if (method == Method::ack) return true;  // for nothing of ours
  if (method != Method::invite) return false;
  auto& transactions = services_->core.transactions;
  if (has_unknown_body(request.message))
    transactions.reply(request, 415, {}, [](Writer& writer) { writer.header(HeaderId::accept, kAccept); });
  else if (const auto minimum = SessionTimer::too_brief(request.message, services_->core.settings->call.session))
    transactions.reply(request, 422, {}, [&](Writer& writer) { writer.header(HeaderId::min_se, static_cast<unsigned long>(*minimum)); });
  else new_call(request);
  return true;
}

void Calls::new_call(const stack::IncomingRequest& request) {
  auto& core = services_->core;
  const bool draining = core.engine.draining();
  // Whether an emergency call is a user's is known once he has proved it: admitted() asks again.
  const bool emergency = core.guard && core.guard->is_emergency(request.message);
  if (!emergency && (draining || services_->is_full()))
    return core.transactions.reply(request, 503, draining ? "Shutting Down" : "Too Many Calls",
                                   [](Writer& writer) { writer.header(HeaderId::retry_after, kRetryAfter); });
  services_->admission.admit(request, Admission::Purpose::call,
                             [this, weak = services_->self](const Sender& sender, const stack::IncomingRequest& admitted_request,
                                                            stack::ServerTransactionId transaction) {
                               if (!weak.expired()) admitted(sender, admitted_request, transaction);
                             });
}

void Calls::admitted(const Sender& sender, const stack::IncomingRequest& request, stack::ServerTransactionId transaction) {
  const LegTable::Scope scope(services_->legs);
  auto& core = services_->core;
  const Message& invite = request.message;
  const bool emergency = core.guard && sender.kind == Sender::Kind::user && core.guard->is_emergency(invite);
  if (emergency) {
    core.log.warning("event=emergency-call user={} called={} address={} callid={}", log_value(sender.username), log_value(invite.request_uri()->user),
                     request.flow.remote.text(), log_value(invite.call_id()));
  } else if (core.engine.draining() || services_->is_full()) {
    return answer(core, request, transaction, 503, {}, [](Writer& writer) { writer.header(HeaderId::retry_after, kRetryAfter); });
  }
  if (!transaction) transaction = core.transactions.begin(request);
  const Parties parties(invite);
  Replaced replaced;
  if (invite.has(HeaderId::replaces)) {
    replaced = find_replaced(*services_, invite, sender);
    if (replaced.refused != 0) return services_->reply({invite, request.flow, transaction}, replaced.refused);
  }
  auto& leg = static_cast<IncomingLeg&>(
      services_->legs.add(std::make_unique<IncomingLeg>(*services_, invite, request.flow, transaction, sender, parties)));

  if (core.log.enabled(LogLevel::debug))
    core.log.debug("event=call channel={} caller={} called={} username={} address={} callid={}", leg.id(), log_value(parties.caller), log_value(parties.called),
                   log_value(sender.username), leg.address(), log_value(invite.call_id()));

  auto startup = leg.message(messages::kChanStartup);
  startup.set(param::kCaller, parties.caller).set(param::kCalled, parties.called).set(param::kCalledfull, parties.called);
  startup.set(param::kCallername, parties.callername).set(param::kSipCallid, invite.call_id());
  startup.set(param::kConnectionId, connection_id(core, request.flow));
  if (!sender.username.empty()) startup.set(param::kUsername, sender.username);
  if (!sender.line.empty()) startup.set(param::kInLine, sender.line);

  if (replaced.leg != 0) {
    core.engine.bus().enqueue(std::move(startup));
    return take_place(*services_, leg, *services_->legs.find(replaced.leg), description_of(invite));
  }

  auto preroute = leg.message(messages::kCallPreroute);
  describe_invite(preroute, core, invite, request.flow, sender, parties);
  if (emergency) preroute.set_flag(param::kEmergency, true);
  core.engine.spawn("call.route", route_call(services_->self, leg.number(), std::move(startup), std::move(preroute)));
}

void Calls::in_dialog(const stack::IncomingRequest& request) {
  const Message& message = request.message;
  auto& services = *services_;
  Leg* leg = services.legs.find(stack::DialogKeyView{message.call_id(), message.to()->tag});
  if (leg && !leg->is_from_peer(message)) leg = nullptr;
  if (!leg) {
    if (message.method() != Method::ack) services.core.transactions.reply(request, 481);
    return;
  }
  const bool stranger = leg->wants_credentials(request.flow);
  if (message.method() == Method::ack) {
    // It cannot be challenged; one from elsewhere is passed over where the dialog is somebody's.
    if (!stranger || leg->is_peers(request.flow)) leg->acknowledge(message);
    return;
  }
  if (!stranger) return leg->in_dialog({message, request.flow});
  // D4: from elsewhere only with credentials, and as the same user.
  services.admission.admit(request, Admission::Purpose::other,
                           [weak = services.self, number = leg->number()](const Sender& sender, const stack::IncomingRequest& proved,
                                                                         stack::ServerTransactionId transaction) {
                             const auto services = weak.lock();
                             if (!services) return;
                             const LegTable::Scope scope(services->legs);
                             const Request request{proved.message, proved.flow, transaction};
                             Leg* leg = services->legs.find(number);
                             if (!leg) return services->reply(request, 481);
                             const bool same = leg->user().empty() || sender.username == leg->user();
                             if (sender.kind == Sender::Kind::anonymous || !same) return services->reply(request, 403);
                             leg->in_dialog(request);
                           });
}

bool Calls::cancelled(stack::ServerTransactionId invite, const Message& cancel) {
  const LegTable::Scope scope(services_->legs);
  Leg* leg = services_->legs.owner(invite);
  if (leg) leg->cancelled(invite, cancel);
  return leg != nullptr;
}

bool Calls::server_failed(stack::ServerTransactionId invite) {
  const LegTable::Scope scope(services_->legs);
  Leg* leg = services_->legs.owner(invite);
  if (leg) leg->server_failed(invite);
  return leg != nullptr;
}

bool Calls::response(stack::ClientTransactionId transaction, const Message& response, const stack::FlowId& flow) {
  const LegTable::Scope scope(services_->legs);
  if (transfers_.response(transaction, response) || referrals_.response(transaction, response)) return true;
  if (Leg* leg = services_->legs.owner(transaction)) {
    leg->response(transaction, response, flow);
    return true;
  }
  if (response.method() != Method::invite || response.status() / 100 != 2) return false;
  // Repeated, because our ACK was lost, and a re-INVITE has followed meanwhile.
  if (response.from() && response.to() && response.cseq())
    if (Leg* leg = services_->legs.find(stack::DialogKeyView{response.call_id(), response.from()->tag}); leg && leg->dialog().remote_tag() == response.to()->tag) {
      leg->send_ack(response.cseq()->number, {});
      return true;
    }
  // The leg is gone, but somebody picked up: he must not be left with an open call.
  services_->refuse_answer(response, flow);
  return true;
}

bool Calls::client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure) {
  const LegTable::Scope scope(services_->legs);
  if (transfers_.client_failed(transaction) || referrals_.client_failed(transaction)) return true;
  Leg* leg = services_->legs.owner(transaction);
  if (leg) leg->client_failed(transaction, failure);
  return leg != nullptr;
}

stack::ClientTransactionId Calls::send_within(std::string_view id, Method method, std::string_view body, std::string_view type,
                                              const stack::Transactions::ExtraHeaders& headers) {
  const LegTable::Scope scope(services_->legs);
  Leg* leg = services_->leg_of(id);
  if (!leg || leg->gone() || !leg->answered()) return {};
  const auto transaction = leg->send_request(method, body, headers, type);
  services_->legs.disown(transaction);
  return transaction;
}

std::string Calls::target_of(std::string_view id) const {
  const Leg* leg = services_->leg_of(id);
  return leg ? leg->dialog().target() : std::string();
}

void Calls::flow_closed(const stack::FlowId& flow) {
  // Unanswered calls hear it from their transactions; answered ones go on over the next connection (D16).
  if (!services_->core.settings->call.drop_on_close) return;
  const LegTable::Scope scope(services_->legs);
  for (const LegNumber number : services_->legs.numbers())
    if (Leg* leg = services_->legs.find(number); leg && leg->flow() == flow) leg->drop({"notransport"});
}

void Calls::timer(std::uint64_t id) {
  const LegTable::Scope scope(services_->legs);
  if (Leg* leg = services_->legs.find(id / Leg::kTimers)) leg->timer(static_cast<Leg::Timer>(id % Leg::kTimers));
}

// From the bus.

Verdict Calls::execute(BusMessage& message) { return begin_call(services_, message); }

namespace {

/// The calling leg of ours that a called leg's message is for: its peer, or the target it was given.
IncomingLeg* calling_leg(const Services& services, const BusMessage& message) {
  Leg* leg = services.leg_of(message.get(param::kPeerid));
  if (!leg) leg = services.leg_of(message.get(param::kTargetid));
  const bool waits = leg && leg->direction() == ChannelDirection::incoming && !leg->answered();
  return waits ? static_cast<IncomingLeg*>(leg) : nullptr;
}

}  // namespace

bool Calls::ringing(int code, BusMessage& message) {
  const LegTable::Scope scope(services_->legs);
  IncomingLeg* leg = calling_leg(*services_, message);
  if (!leg) return false;
  if (code == 183) {
    if (message.get(param::kReason) == "forwarded") code = 181;
    if (message.get(param::kReason) == "queued") code = 182;
  }
  return leg->provisional(code, message);
}

bool Calls::answered(BusMessage& message) {
  const LegTable::Scope scope(services_->legs);
  Leg* by = services_->leg_of(message.get(param::kId));
  if (IncomingLeg* leg = calling_leg(*services_, message)) {
    // One who picked up made an offer of his own: the two have no session together yet.
    if (by && by->direction() == ChannelDirection::outgoing) {
      leg->set_session_with(by->id());
      by->set_session_with(leg->id());
    }
    return leg->answer(message);
  }
  Leg* leg = services_->leg_of(message.get(param::kPeerid));
  const bool called = leg && leg->direction() == ChannelDirection::outgoing;
  if (called && static_cast<OutgoingLeg*>(leg)->joined(message)) {
    if (by) pair(*leg, *by);
    return true;
  }
  return leg && by && join_answer(*leg, *by, message.get(param::kSdpRaw));
}

bool Calls::update(BusMessage& message) {
  const LegTable::Scope scope(services_->legs);
  Leg* leg = services_->leg_of(message.get(param::kPeerid));
  if (!leg) leg = services_->leg_of(message.get(param::kTargetid));
  if (!leg) return false;
  const auto operation = message.get(param::kOperation);
  if (operation == "transfer") return referrals_.begin(*leg, message);
  if (operation == "notify" || operation == "reject") {
    const bool incoming = leg->direction() == ChannelDirection::incoming;
    // It took the place of another in an answered call: that one's far end answers its INVITE.
    if (incoming && static_cast<IncomingLeg*>(leg)->takes_over() && !leg->answered() && !leg->gone()) {
      auto& caller = static_cast<IncomingLeg&>(*leg);
      if (operation == "reject") return caller.rejected({std::string(message.get(param::kError))}), true;
      if (Leg* by = services_->leg_of(message.get(param::kId))) by->set_session_with(leg->id()), leg->set_session_with(by->id());
      return caller.answer(message);
    }
    if (operation == "notify" && leg->answered() && leg->may_offer()) return offer_news(*leg, message), true;
  }
  return leg->update(message);
}

bool Calls::passes(const BusMessage& message, bool (*send)(Leg&, const BusMessage&)) {
  const LegTable::Scope scope(services_->legs);
  Leg* leg = services_->leg_of(message.get(param::kPeerid));
  if (!leg) leg = services_->leg_of(message.get(param::kTargetid));
  return leg && send(*leg, message);
}

bool Calls::drop(BusMessage& message) {
  const LegTable::Scope scope(services_->legs);
  const auto id = message.get(param::kId);
  const auto reason = reason_in(message);
  if (!id.empty() && id != "sip") {
    Leg* leg = services_->leg_of(id);
    if (leg) leg->drop(reason);
    return leg != nullptr;
  }
  for (const LegNumber number : services_->legs.numbers())
    if (Leg* leg = services_->legs.find(number)) leg->drop(reason);
  return !id.empty();
}

}  // namespace jackfield::sip::call
