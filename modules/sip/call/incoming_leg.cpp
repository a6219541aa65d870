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
    : Leg(services, ChannelDirection::incoming, flow),
      invite_(transaction),
      invite_cseq_(invite.cseq()->number),
      offerless_(description_of(invite).empty()),
      prack_(services.core.settings->prack),
      reliably_(services.core.settings->transactions.t1) {
  caller_ = parties.caller;
  called_ = parties.called;
  username_ = sender.username;
  line_ = sender.line;
  authenticated_ = sender.kind == Sender::Kind::user;
  for (const auto& [name, value] : sender.parameters)
    if (name == param::kTransfer.name) transfer_allowed_ = parse_boolean(value);
  if (const auto& uri = invite.request_uri()) domain_ = uri->host;
  if (authenticated_ && stack::is_reliable(flow.kind)) device_ = services.bindings.device_on(username_, flow);
  set_billid(services.core.engine.channels().next_billid());
  set_dialog(stack::Dialog::answering(invite, new_tag(services)));
  far_end_.learn(invite);
  session_.asked(invite, session_terms());
  services.legs.own(invite_, number());
  // The other leg counts its own maxcall; this one is for a route that never says anything.
  start_timer(Timer::maxcall, services.core.settings->call.maxcall);
  start_timer(Timer::timeout, services.core.settings->call.timeout);
}

IncomingLeg::~IncomingLeg() {
  services_.legs.disown(invite_);
  forget_early();
}

/// Requests find the dialog of the answer alone from now on.
void IncomingLeg::forget_early() {
  for (const auto& early : early_)
    if (early.tag != dialog().local_tag()) services_.legs.unindex({dialog().call_id(), early.tag});
  early_.clear();
  early_.shrink_to_fit();
}

std::string_view IncomingLeg::offer() const {
  // Of the transaction that was answered last, the ACK of the 2xx may still be on its way.
  const Message* invite = services_.core.transactions.request_of(invite_ ? invite_ : exchange_.server());
  return invite && !offerless_ ? description_of(*invite) : std::string_view();
}

// Routing.

void IncomingLeg::accepted(const BusMessage& message) {
  stop_timer(Timer::maxcall);
  if (message.has(param::kIprack)) prack_ = message.flag(param::kIprack);
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
  updates_.end();
  const auto answer = final_answer(reason, unknown);
  const auto why = reason_header(reason, false);
  state_ = State::over;
  respond(invite_, answer.code, answer.phrase, {}, [&](Writer& writer) {
    if (!why.empty()) writer.header(HeaderId::reason, why);
    if (answer.code == 401 || answer.code == 407) write_challenges(writer, reason);
    if (answer.code < 400) writer.header(HeaderId::contact, parameter(reason, param::kCalleduri));
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
  if (!early_.empty()) services_.legs.index({dialog().call_id(), tag}, number());
  early_.push_back({std::move(tag), SessionIdentity(services_.core.engine.random().next())});
  early_.back().remote_cseq = dialog().remote_cseq();
  if (!one_tag) early_.back().branch = branch;
  return early_.back();
}

bool IncomingLeg::provisional(int code, const BusMessage& message) {
  // The other leg may speak before call.execute has come back to the router.
  if (state_ != State::waiting && state_ != State::routing) return false;
  const auto branch = branch_of(message);
  auto& early = early_of(branch);
  const auto sdp = needs_offer() ? std::string_view() : message.get(param::kSdpRaw);
  const bool mine = early.branch.empty() || early.branch == branch;
  const bool first = !sdp.empty() && mine && !early.identity.used();
  if (!first && early.last_code == code) return true;  // nothing new for the caller
  if (first) early.branch = branch;
  early.last_code = code;
  set_state(code == 180 ? ChannelState::ringing : ChannelState::progressing);
  if (!first) {
    send_provisional(code, branch, std::string(), own_headers(message));
    return true;
  }
  services_.media(*this, MediaStep::answer, sdp, [code, branch, headers = own_headers(message)](Leg& leg, std::optional<std::string> answer) {
    static_cast<IncomingLeg&>(leg).send_provisional(code, branch, std::move(answer), headers);
  });
  return true;
}

void IncomingLeg::send_provisional(int code, const std::string& branch, std::optional<std::string> sdp, const OwnHeaders& headers) {
  if (state_ != State::waiting && state_ != State::routing) return;
  auto& early = early_of(branch);
  send_early(early, code, sdp && !sdp->empty() ? early.identity.apply(*sdp) : std::string(), headers);
}

void IncomingLeg::send_early(Early& early, int code, const std::string& body, const ReliableProvisional::Headers& headers) {
  start_timer(Timer::provisional, kRepeatProvisional);
  if (!is_reliable(body)) {
    respond(invite_, code, {}, body, [&](Writer& writer) { write(writer, headers); }, early.tag);
    return;
  }
  if (reliably_.full()) return;
  if (early.rseq == 0) early.rseq = static_cast<std::uint32_t>(services_.core.engine.random().next() % (1u << 30));
  const bool holds = needs_offer() && !std::exchange(early.held, true);
  if (reliably_.add({early.tag, ++early.rseq, code, holds ? early.identity.apply(held_offer()) : body, headers})) repeat_reliably();
}

bool IncomingLeg::is_reliable(std::string_view description) const {
  if (far_end_.reliable_only) return true;
  return prack_ && far_end_.reliable && !description.empty() && !offerless_;
}

void IncomingLeg::repeat_reliably() {
  const auto& response = reliably_.current();
  respond(invite_, response.code, {}, response.body, [&](Writer& writer) {
    writer.header(HeaderId::require, "100rel").header(HeaderId::rseq, static_cast<unsigned long>(response.rseq));
    write(writer, response.headers);
  }, response.tag);
  start_timer(Timer::reliable, reliably_.wait());
}

// RFC 3262 §3.
void IncomingLeg::reliable_due() {
  if (reliably_.empty()) return;
  if (reliably_.timer() == ReliableProvisional::Due::repeat) return repeat_reliably();
  reliably_.clear();
  drop({"timeout", {{std::string(param::kCauseSip), "504"}, {std::string(param::kReasonSip), "PRACK Not Received"}}});
}

void IncomingLeg::acknowledged_reliably(const Request& request) {
  const Message& prack = request.message;
  if (answered()) return services_.reply(request, 481);
  const auto rack = parse_rack(prack.value(HeaderId::rack));
  if (!rack) return services_.reply(request, 400, rack.error().reason);
  const auto tag = prack.to()->tag;
  const auto response = reliably_.acknowledge(tag, *rack, invite_cseq_);
  if (!response) return services_.reply(request, 481);
  stop_timer(Timer::reliable);
  auto* early = find_early(tag);
  if (early && !response->body.empty()) early->complete = true;
  const bool answers = early && early->held && !response->body.empty();
  // When the 2xx is on its way an offer before it would have two answers.
  const auto offer = answer_ || answers ? std::string_view() : description_of(prack);
  if (offer.empty()) services_.reply(request, 200);
  else if (offers(prack) == Offers::allowed) updates().offered(services_.begin(request), offer);
  else services_.reply(request, 491);
  if (!reliably_.empty()) repeat_reliably();
  if (!answer_) return;
  auto answer = std::move(*answer_);
  answer_.reset();
  send_answer(answer.branch, std::move(answer.sdp), answer.headers);
}

IncomingLeg::Early* IncomingLeg::find_early(std::string_view tag) {
  const auto found = std::ranges::find(early_, tag, &Early::tag);
  return found == early_.end() ? nullptr : &*found;
}

bool IncomingLeg::take_cseq(const Message& request) {
  auto* early = find_early(request.to()->tag);
  if (!early) return Leg::take_cseq(request);
  const auto number = request.cseq()->number;
  if (number < early->remote_cseq) return false;
  early->remote_cseq = number;
  return true;
}

// Offers before the answer.

bool IncomingLeg::is_complete_early() const {
  const auto* early = find_early(dialog().local_tag());
  return early && early->complete && (state_ == State::waiting || state_ == State::routing);
}

Leg::Offers IncomingLeg::offers(const Message& request) const {
  if (answered()) return Leg::offers(request);
  if (!is_complete_early() || request.to()->tag != dialog().local_tag()) return Offers::theirs_waits;
  return Leg::offers(request);
}

bool IncomingLeg::may_offer() const {
  return answered() ? Leg::may_offer() : is_complete_early() && updates_.state() == UpdateExchange::State::idle;
}

SessionIdentity& IncomingLeg::identity() {
  auto* early = answered() ? nullptr : find_early(dialog().local_tag());
  return early ? early->identity : Leg::identity();
}

void IncomingLeg::provisional_due() {
  // Proxies on the way would give the call up (timer C, §13.3.1.1).
  if (state_ != State::waiting || early_.empty()) return;
  send_early(early_.front(), early_.front().last_code, {});
}

bool IncomingLeg::answer(const BusMessage& message) {
  if (state_ != State::waiting && state_ != State::routing) return false;
  state_ = State::answering;
  const auto step = offerless_ ? MediaStep::offer : MediaStep::answer;
  services_.media(*this, step, message.get(param::kSdpRaw), [branch = branch_of(message), headers = own_headers(message)](Leg& leg, std::optional<std::string> sdp) {
    static_cast<IncomingLeg&>(leg).send_answer(branch, std::move(sdp), headers);
  });
  return true;
}

void IncomingLeg::send_answer(const std::string& branch, std::optional<std::string> sdp, const OwnHeaders& headers) {
  if (state_ != State::answering) return;
  if (!sdp) return drop({"unacceptable"});
  if (reliably_.holds_answer()) {  // RFC 3262 §3: not before our answer is acknowledged
    answer_ = Answer{branch, std::move(sdp), headers};
    return;
  }
  reliably_.clear();
  stop_timer(Timer::reliable);
  auto early = early_of(branch);
  // What was acknowledged is the answer, and is not said twice (RFC 6337 §2.2).
  const bool complete = early.complete && (early.held || early.branch == branch);
  // Never two answers under one tag (D14): another description than the one that went out early gets a tag of its own.
  if (!complete && early.identity.used() && (early.branch != branch || !early.identity.was_last(*sdp))) {
    early = {new_tag(services_), SessionIdentity(services_.core.engine.random().next())};
    early.remote_cseq = dialog().remote_cseq();
  }
  forget_early();
  auto chosen = dialog();
  chosen.take_cseq(early.remote_cseq);
  if (early.tag != dialog().local_tag()) chosen.set_local_tag(early.tag);
  set_dialog(std::move(chosen));
  const auto body = complete || sdp->empty() ? std::string() : early.identity.apply(*sdp);
  set_identity(early.identity);
  if (complete && early.held) set_session_with({});  // join_sessions: he has none with the other side yet

  state_ = State::answered;
  set_answered_now();
  services_.legs.disown(invite_);
  const auto invite = std::exchange(invite_, {});
  services_.legs.own(invite, number());
  exchange_.answered(invite, invite_cseq_, offerless_ && !body.empty());
  respond(invite, 200, {}, body, [&](Writer& writer) { write(writer, headers); });
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
  updates_.end();
  respond(invite_, 487);
  services_.legs.disown(invite_);
}

void IncomingLeg::end_setup(const DisconnectReason& reason) { refuse(reason, kDroppedCode); }

}  // namespace jackfield::sip::call
