#include "call/incoming_leg.h"

#include <jackfield/messages/call.h>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "call/description.h"
#include "settings.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

constexpr Duration kRepeatProvisional = std::chrono::seconds(60);
constexpr unsigned long kRetryAfter = 5;  // s, with a 503 of our own

/// Names the dialog on the other side that a message speaks of: a leg may have several before it is answered.
std::string branch_of(const BusMessage& message) {
  const auto callid = message.get(param::kCallid);
  return std::string(callid.empty() ? message.get(param::kId) : callid);
}

std::string new_tag(Services& services) { return fmt::format("{:016x}", services.core.engine.random().next()); }

}  // namespace

IncomingLeg::IncomingLeg(Services& services, const Message& invite, const stack::FlowId& flow, stack::ServerTransactionId transaction,
                         const Sender& sender, const Parties& parties)
    : Leg(services, ChannelDirection::incoming, flow), invite_(transaction), offerless_(description_of(invite).empty()) {
  caller_ = parties.caller;
  called_ = parties.called;
  username_ = sender.username;
  authenticated_ = sender.kind == Sender::Kind::user;
  if (const auto& uri = invite.request_uri()) domain_ = uri->host;
  if (authenticated_ && stack::is_reliable(flow.kind)) device_ = services.bindings.device_on(username_, flow);
  set_billid(services.core.engine.channels().next_billid());
  set_dialog(stack::Dialog::answering(invite, new_tag(services)));
  services.legs.own(invite_, number());
  // The other leg counts its own maxcall; this one is for a route that never says anything.
  start_timer(Timer::maxcall, services.core.settings->call.maxcall);
  start_timer(Timer::timeout, services.core.settings->call.timeout);
}

IncomingLeg::~IncomingLeg() { services_.legs.disown(invite_); }

// Routing.

void IncomingLeg::accepted(const BusMessage& message) {
  stop_timer(Timer::maxcall);
  if (state_ != State::routing) return;
  state_ = State::waiting;
  if (const auto target = message.get(param::kTargetid); !target.empty()) set_target(std::string(target));
  if (const auto limit = message.number(param::kTimeout); limit > 0) start_timer(Timer::timeout, Duration(limit));
}

void IncomingLeg::rejected(const DisconnectReason& reason) {
  if (state_ != State::routing && state_ != State::waiting) return;
  if (reason.reason == "noauth") {
    if (const Message* invite = services_.core.transactions.request_of(invite_)) services_.admission.challenge(*invite, flow(), invite_);
    services_.legs.disown(invite_);
    state_ = State::over;
    leave(reason, 401);
  } else {
    refuse(reason, kRefusedCode);
  }
  settle_end();
}

void IncomingLeg::refuse(const DisconnectReason& reason, int unknown) {
  const auto answer = final_answer(reason, unknown);
  const auto why = reason_header(reason, false);
  state_ = State::over;
  respond(invite_, answer.code, answer.phrase, {}, [&](Writer& writer) {
    if (!why.empty()) writer.header(HeaderId::reason, why);
    if (answer.code == 503) writer.header(HeaderId::retry_after, kRetryAfter);
  });
  services_.legs.disown(invite_);
  leave(reason, answer.code);
}

// The other leg.

IncomingLeg::Early& IncomingLeg::early_of(std::string_view branch) {
  const bool one_tag = services_.core.settings->call.early_media == EarlyMedia::first;
  for (auto& early : early_)
    if (one_tag || early.branch == branch) return early;
  auto tag = early_.empty() ? dialog().local_tag() : new_tag(services_);
  early_.push_back({std::move(tag), SessionIdentity(services_.core.engine.random().next())});
  if (!one_tag) early_.back().branch = branch;
  return early_.back();
}

bool IncomingLeg::provisional(int code, const BusMessage& message) {
  // The other leg may speak before call.execute has come back to the router.
  if (state_ != State::waiting && state_ != State::routing) return false;
  const auto branch = branch_of(message);
  auto& early = early_of(branch);
  const auto sdp = message.get(param::kSdpRaw);
  const bool mine = early.branch.empty() || early.branch == branch;
  const bool first = !sdp.empty() && mine && !early.identity.used();
  if (!first && early.last_code == code) return true;  // nothing new for the caller
  if (first) early.branch = branch;
  early.last_code = code;
  set_state(code == 180 ? ChannelState::ringing : ChannelState::progressing);
  if (!first) {
    send_provisional(code, branch, std::string());
    return true;
  }
  services_.media(*this, MediaStep::answer, sdp, [code, branch](Leg& leg, std::optional<std::string> answer) {
    static_cast<IncomingLeg&>(leg).send_provisional(code, branch, std::move(answer));
  });
  return true;
}

void IncomingLeg::send_provisional(int code, const std::string& branch, std::optional<std::string> sdp) {
  if (state_ != State::waiting && state_ != State::routing) return;
  auto& early = early_of(branch);
  const auto body = sdp && !sdp->empty() ? early.identity.apply(*sdp) : std::string();
  respond(invite_, code, {}, body, {}, early.tag);
  start_timer(Timer::provisional, kRepeatProvisional);
}

void IncomingLeg::provisional_due() {
  // Proxies on the way would give the call up (timer C, §13.3.1.1).
  if (state_ != State::waiting || early_.empty()) return;
  const auto& early = early_.front();
  respond(invite_, early.last_code, {}, {}, {}, early.tag);
  start_timer(Timer::provisional, kRepeatProvisional);
}

bool IncomingLeg::answer(const BusMessage& message) {
  if (state_ != State::waiting && state_ != State::routing) return false;
  state_ = State::answering;
  const auto step = offerless_ ? MediaStep::offer : MediaStep::answer;
  services_.media(*this, step, message.get(param::kSdpRaw), [branch = branch_of(message)](Leg& leg, std::optional<std::string> sdp) {
    static_cast<IncomingLeg&>(leg).send_answer(branch, std::move(sdp));
  });
  return true;
}

void IncomingLeg::send_answer(const std::string& branch, std::optional<std::string> sdp) {
  if (state_ != State::answering) return;
  if (!sdp) return drop({"unacceptable"});
  auto& early = early_of(branch);
  // Never two answers under one tag (D14): another description than the one that went out early gets a tag of its own.
  if (early.identity.used() && (early.branch != branch || !early.identity.was_last(*sdp)))
    early = {new_tag(services_), SessionIdentity(services_.core.engine.random().next())};
  if (early.tag != dialog().local_tag()) {
    auto chosen = dialog();
    chosen.set_local_tag(early.tag);
    set_dialog(std::move(chosen));
  }
  const auto body = sdp->empty() ? std::string() : early.identity.apply(*sdp);
  set_identity(early.identity);
  early_.clear();
  early_.shrink_to_fit();

  state_ = State::answered;
  set_answered_now();
  services_.legs.disown(invite_);
  const auto invite = std::exchange(invite_, {});
  services_.legs.own(invite, number());
  exchange_.answered(invite, dialog().remote_cseq(), offerless_ && !body.empty());
  respond(invite, 200, {}, body);
}

// Ends.

void IncomingLeg::cancelled(stack::ServerTransactionId transaction, const Message& cancel) {
  if (transaction != invite_ || state_ == State::over) return Leg::cancelled(transaction, cancel);
  DisconnectReason reason{"Cancelled"};
  read_reason_headers(cancel, reason);
  ended_early(reason);
  leave(reason, parameter(reason, param::kCauseSip).empty() ? 487 : 0);
  settle_end();
}

void IncomingLeg::server_failed(stack::ServerTransactionId transaction) {
  if (transaction != invite_) return Leg::server_failed(transaction);
  services_.legs.disown(invite_);
  state_ = State::over;
  leave({"notransport"});
  settle_end();
}

void IncomingLeg::ended_early(const DisconnectReason&) {
  state_ = State::over;
  respond(invite_, 487);
  services_.legs.disown(invite_);
}

void IncomingLeg::end_setup(const DisconnectReason& reason) { refuse(reason, kDroppedCode); }

}  // namespace jackfield::sip::call
