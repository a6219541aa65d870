#include "call/outgoing_leg.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>

#include <fmt/format.h>

#include <algorithm>

#include "answer.h"
#include "call/description.h"
#include "call/identity.h"
#include "call/parameters.h"
#include "call/redirects.h"
#include "call/router.h"
#include "settings.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

constexpr Duration kConnecting{2000};  // D17: how long a connection may take to open before the INVITE goes by UDP after all

}  // namespace

void OutgoingLeg::call(const BusMessage& execute) {
  auto startup = message(messages::kChanStartup);
  for (const std::string_view name : {std::string_view(param::kCaller), std::string_view(param::kCalled), std::string_view(param::kCallername),
                                      std::string_view(param::kCalledfull), std::string_view(param::kCallto), std::string_view(param::kUsername)})
    if (execute.has(name)) startup.set(name, execute.get(name));
  startup.set(param::kSipCallid, dialog().call_id()).set(param::kConnectionId, connection_id(services_.core, flow()));
  services_.core.engine.bus().enqueue(std::move(startup));
  services_.media(*this, MediaStep::offer, execute.get(param::kSdpRaw), [](Leg& leg, std::optional<std::string> sdp) {
    static_cast<OutgoingLeg&>(leg).send_invite(std::move(sdp));
  });
}

std::string OutgoingLeg::own_number() const {
  if (!called_.empty()) return called_;
  const auto uri = Uri::parse(dialog().target());
  return uri ? unescape(uri->user) : std::string();
}

void OutgoingLeg::go_on_to(const BusMessage& execute) {
  onward_ = std::make_unique<Onward>(Onward{std::string(execute.get(param::kTarget)), std::string(execute.get(param::kDirect)), {}});
  const auto carry = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) onward_->parameters.emplace_back(name, value);
  };
  // Who answers is who calls on: the other party sees his number, not that of whoever he was called for.
  carry(param::kCaller, own_number());
  carry(param::kCallername, execute.get(param::kCalledname));
  carry(param::kUsername, execute.get(param::kUsername));
  carry(param::kContext, execute.get(param::kContext));
  carry(param::kAntiloop, execute.get(param::kAntiloop, std::to_string(services_.core.settings->max_forwards)));
  for (auto names = execute.get(param::kCopyparams); !names.empty();) {
    const auto comma = names.find(',');
    auto name = names.substr(0, comma);
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    if (execute.has(name)) carry(name, execute.get(name));
    names.remove_prefix(comma == std::string_view::npos ? names.size() : comma + 1);
  }
}

void OutgoingLeg::send_invite(std::optional<std::string> sdp) {
  if (state_ != State::preparing || gone()) return;
  if (!sdp) return drop({"unacceptable"});
  state_ = State::calling;
  if (auto& log = services_.core.log; log.enabled(LogLevel::debug))
    log.debug("event=calling channel={} peer={} target={} address={} callid={}", id(), peer(), log_value(dialog().target()), address(),
              log_value(dialog().call_id()));
  const auto body = sdp->empty() ? std::string() : identity().apply(*sdp);
  // Without an offer of ours a reliable response would bring one, to be answered before anybody has answered the caller's.
  if (body.empty()) reliable_ = false;
  if (send_first(body)) return;
  state_ = State::over;
  drop({"noanswer"});
}

bool OutgoingLeg::send_first(std::string_view body) {
  services_.legs.disown(exchange_.client());
  const auto invite = send_request(Method::invite, body, [this](Writer& writer) {
    write(writer, extra_);
  });
  exchange_.invited(invite, !body.empty());
  if (target_.line) start_timer(Timer::attempt, target_.line->exit.total_timeout);
  return static_cast<bool>(invite);
}

// From the far end.

void OutgoingLeg::response(stack::ClientTransactionId transaction, const Message& response, const stack::FlowId& flow) {
  const bool setup = transaction == exchange_.client() && (state_ == State::calling || state_ == State::cancelling);
  if (!setup) {
    // A proxy on the way forked, and another phone answered after the first (§13.2.2.4).
    const bool second = state_ == State::answered && transaction == exchange_.client() && response.status() / 100 == 2 && response.to() &&
                        response.to()->tag != dialog().remote_tag();
    return second ? services_.refuse_answer(response, flow) : Leg::response(transaction, response, flow);
  }
  if (!response.to()) return;
  set_heard();
  heard(response);
  narrow_.reset();
  stop_timer(Timer::connecting);
  if (response.status() < 200) provisional(response);
  else if (response.status() < 300) success(response);
  else refused(response);
}

BusMessage OutgoingLeg::news(std::string_view name, const Message& response) const {
  auto news = message(name);
  news.set(param::kCallid, fmt::format("sip/{}/{}/{}", dialog().call_id(), dialog().local_tag(), response.to()->tag));
  copy_headers(news, response, line_.empty() ? is_believed(services_.core, flow()) : is_believed(services_.core, line_));
  auto description = description_of(response);
  // What was agreed reliably need not be said again, and what is said does not count (RFC 6337 §2.2).
  if (const auto* early = early_.find(response.to()->tag); early && response.status() >= 200 && (early->complete || description.empty()))
    description = early->description;
  if (description.empty()) return news;
  news.set(param::kRtpForward, "yes").set(param::kSdpRaw, description);
  if (response.status() < 200) news.set(param::kEarlymedia, "yes");
  return news;
}

void OutgoingLeg::provisional(const Message& response) {
  const int code = response.status();
  if (code == 100 || state_ == State::cancelling) return;
  progressed_ = true;
  far_end_.learn(response);
  if (auto* early = early_.take(dialog(), response)) {
    if (!take_reliable(*early, response)) return;
    if (early->description.empty()) early->description = description_of(response);
  } else if (!response.to()->tag.empty()) {
    return;  // one phone more than any number has: each would cost the caller's leg a dialog, too
  }
  stop_timer(Timer::maxpdd);
  early_tag_ = response.to()->tag;
  const bool ringing = code == 180;
  set_state(ringing ? ChannelState::ringing : ChannelState::progressing);
  auto message = news(ringing ? messages::kCallRinging : messages::kCallProgress, response);
  if (code == 181) message.set(param::kReason, "forwarded");
  if (code == 182) message.set(param::kReason, "queued");
  services_.core.engine.bus().enqueue(std::move(message));
}

// RFC 3262 §4.
bool OutgoingLeg::take_reliable(EarlyDialog& early, const Message& response) {
  if (!response.lists(HeaderId::require, "100rel")) return true;
  const auto rseq = parse_leading_number(response.value(HeaderId::rseq));
  if (!rseq || !early.in_order(*rseq)) return false;
  const auto rack = fmt::format("{} {} INVITE", *rseq, response.cseq()->number);
  send_aside_in(early.dialog, Method::prack, {}, {}, [&](Writer& writer) { writer.header(HeaderId::rack, rack); });
  if (exchange_.offered() && !description_of(response).empty()) early.complete = true;
  return true;
}

EarlyDialog* OutgoingLeg::early_of(const Message& message) const {
  if (state_ != State::calling && state_ != State::cancelling) return nullptr;
  return early_.find(message.is_request() ? message.from()->tag : message.to()->tag);
}

bool OutgoingLeg::is_from_peer(const Message& request) const {
  return state_ == State::answered ? Leg::is_from_peer(request) : early_of(request) != nullptr;
}

bool OutgoingLeg::take_cseq(const Message& request) {
  auto* early = early_of(request);
  return early ? early->dialog.take_cseq(request.cseq()->number) : Leg::take_cseq(request);
}

void OutgoingLeg::refresh_target(const Message& message) {
  if (auto* early = early_of(message)) early->dialog.refresh_target(message);
  else Leg::refresh_target(message);
}

// Offers before the answer: in the first dialog whose own offer is answered reliably (RFC 3311 §5.1).

Leg::Offers OutgoingLeg::offers(const Message& request) const {
  if (answered()) return Leg::offers(request);
  const auto* early = early_of(request);
  if (!early || !early->complete || early != early_.complete()) return Offers::ours_waits;
  if (updates_.state() == UpdateExchange::State::idle) return Offers::allowed;
  return updates_.state() == UpdateExchange::State::updating ? Offers::ours_waits : Offers::theirs_waits;
}

bool OutgoingLeg::may_offer() const {
  if (answered()) return Leg::may_offer();
  return state_ == State::calling && early_.complete() && updates_.state() == UpdateExchange::State::idle;
}

stack::Dialog& OutgoingLeg::request_dialog() {
  auto* early = state_ == State::calling ? early_.complete() : nullptr;
  return early ? early->dialog : dialog();
}

void OutgoingLeg::success(const Message& response) {
  const bool crossed = state_ == State::cancelling;
  if (const auto* early = early_.find(response.to()->tag)) dialog() = early->dialog;  // its numbers go on
  state_ = State::answered;
  extra_ = {};
  relayed_.clear();
  dialog().establish(response);
  follow_route();
  exchange_.success(response);
  set_answered_now();
  if (crossed) {  // the answer crossed our CANCEL: acknowledged, then ended (§15)
    hang_up({"Cancelled"});
    return settle_end();
  }
  services_.core.engine.bus().enqueue(news(messages::kCallAnswered, response));
  early_.clear();
  if (onward_) go_on();
}

void OutgoingLeg::go_on_instead(std::unique_ptr<Onward> onward) {
  onward_ = std::move(onward);
  auto& parameters = onward_->parameters;
  std::erase_if(parameters, [](const auto& one) { return one.first == param::kCaller.name || one.first == param::kCallername.name; });
  parameters.emplace_back(param::kCaller, own_number());
  go_on();
}

void OutgoingLeg::go_on() {
  if (const std::string offer = exchange_.offer_due(); !offer.empty()) {
    const auto answer = held_answer(offer);
    if (!answer) return drop({"unacceptable"});
    exchange_.give_answer(*answer);
  }
  start_timer(Timer::maxcall, services_.core.settings->call.maxcall);  // for a route that never says anything
  const bool routed = onward_->target.empty();
  auto onward = message(routed ? messages::kCallExecute : messages::kCallRoute);
  for (const auto& [name, value] : onward_->parameters) onward.set(name, value);
  if (routed) onward.set(param::kCallto, onward_->direct);
  else onward.set(param::kCalled, onward_->target);
  if (routed) onward.attach(std::make_shared<ChannelHandle>(ChannelHandle{id()}));
  services_.core.engine.spawn("call.onward", route_onward(services_.self, number(), std::move(onward)));
}

bool OutgoingLeg::joined(const BusMessage& message) {
  if (!onward_ || !answered() || gone()) return false;
  const auto offer = message.get(param::kSdpRaw);
  if (offer.empty()) return true;  // its media are a media module's
  BusMessage request(messages::kCallUpdate);
  request.set(param::kOperation, "request").set(param::kSdpRaw, offer);
  if (update(request)) return true;
  drop({std::string(request.get(param::kError))});
  return false;
}

void OutgoingLeg::refused(const Message& response) {
  // RFC 4028 §7.3: not for the caller, who did not ask for our interval.
  if (response.status() == 422 && state_ == State::calling && session().raise(response, session_terms()) &&
      send_first(exchange_.offered() ? sent_description() : std::string()))
    return;
  if (proved_first(response)) return;
  const bool elsewhere = response.status() == 408 || response.status() == 503;  // EL-2; RFC 3263 §4.3
  if (elsewhere && move_on(line::Failure::refused, from_response(response))) return;
  state_ = State::over;
  stop_timer(Timer::attempt);
  services_.legs.disown(exchange_.client());
  exchange_.refused();
  if (!gone() && response.status() < 400) leave(services_.redirects->redirected(*this, response, extra_, anonymous_), response.status());
  else if (!gone()) leave(refusal_of(response));
  settle_end();
}

DisconnectReason OutgoingLeg::refusal_of(const Message& response) const {
  auto reason = from_response(response);
  const bool challenge = response.status() == 401 || response.status() == 407;
  if (challenge && passes_challenges_) add_challenges(response, reason);
  return reason;
}

// RFC 3261 §18.1.1.
std::optional<stack::FlowId> OutgoingLeg::flow_for(std::size_t size) {
  const auto limit = services_.core.settings->udp_mtu;
  if (limit == 0 || size <= limit || state_ != State::calling || flow().kind != stack::TransportKind::udp) return std::nullopt;
  auto wide = wide_way();
  if (wide) start_timer(Timer::connecting, kConnecting);
  return wide;
}

std::optional<stack::FlowId> OutgoingLeg::wide_way() {
  auto& core = services_.core;
  if (std::exchange(any_transport_, false)) {
    auto wide = core.transport.flow_to(stack::TransportKind::tcp, flow().remote);
    if (wide) narrow_ = flow();
    return wide;
  }
  // Once: the machines that are overtaken are tried by UDP after it, as after any that fails.
  if (std::exchange(looked_wide_, true) || !target_.itinerary || !target_.itinerary->prefer(stack::TransportKind::tcp)) return std::nullopt;
  if (aim(core, target_) != Aim::ready) return std::nullopt;
  wide_ = target_.flow.kind == stack::TransportKind::tcp;
  return wide_ ? std::optional(target_.flow) : std::nullopt;
}

void OutgoingLeg::connecting_due() {
  // One that is there, and slow to answer, goes on; else client_failed() hears of the end.
  if ((narrow_ || wide_) && services_.core.transport.connecting(flow())) services_.core.transport.close(flow());
}

bool OutgoingLeg::fall_back() {
  if (!narrow_ || state_ != State::calling) return false;
  set_flow(*std::exchange(narrow_, {}));
  stop_timer(Timer::connecting);
  return send_first(exchange_.offered() ? sent_description() : std::string());
}

void OutgoingLeg::client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure) {
  if (transaction != exchange_.client() || (state_ != State::calling && state_ != State::cancelling)) return Leg::client_failed(transaction, failure);
  if (failure == stack::ClientFailure::flow_closed && fall_back()) return;
  if (failure != stack::ClientFailure::stopped && move_on(line::Failure::unreachable, {"noanswer"})) return;
  state_ = State::over;
  stop_timer(Timer::attempt);
  services_.legs.disown(transaction);
  exchange_.refused();
  leave({"noanswer"});  // D15: a phone that does not answer is 480 to the caller
  settle_end();
}

// From us.

void OutgoingLeg::end_setup(const DisconnectReason& reason) {
  updates().end();
  stop_timer(Timer::attempt);
  if (state_ != State::calling) {
    state_ = State::over;
    return;
  }
  state_ = State::cancelling;
  services_.core.transactions.cancel(exchange_.client(), reason_header(reason, true));
}

}  // namespace jackfield::sip::call
