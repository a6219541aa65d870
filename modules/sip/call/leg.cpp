#include "call/leg.h"

#include <jackfield/messages/chan.h>

#include <algorithm>

#include "call/passing.h"
#include "call/referral.h"
#include "call/session_join.h"
#include "call/transfer.h"
#include "settings.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

}  // namespace

Leg::Leg(Services& services, ChannelDirection direction, const stack::FlowId& flow)
    : Channel(services.core.engine.channels().next_id("sip"), "sip", direction),
      services_(services),
      exchange_(*this),
      updates_(*this),
      number_(services.legs.next_number()),
      flow_(flow),
      identity_(services.core.engine.random().next()) {
  set_address(flow.remote.text());
  services_.core.transport.hold(flow_);
  services_.core.engine.channels().add(*this);
}

Leg::~Leg() {
  for (auto& timer : timers_) services_.core.engine.timers().stop(timer);
  if (!gone_) services_.core.engine.channels().remove(*this);
  if (indexed_) services_.legs.unindex(dialog_.key());
  services_.legs.disown(bye_);
  services_.legs.disown(exchange_.client());
  services_.legs.disown(exchange_.server());
  services_.legs.disown(updates_.client());
  for (const auto& aside : aside_) services_.legs.disown(aside.transaction);
  services_.core.transport.release(flow_);
}

bool Leg::wants_credentials(const stack::FlowId& from) const {
  return authenticated_ && (services_.core.settings->call.auth_dialog || !is_peers(from));
}

void Leg::complete(BusMessage& message) const {
  Channel::complete(message);
  if (!domain_.empty()) message.set(param::kDomain, domain_);
  const bool incoming = direction() == ChannelDirection::incoming;
  std::string callid = "sip/";
  callid.append(dialog_.call_id()).append("/").append(incoming ? dialog_.remote_tag() : dialog_.local_tag());
  callid.append("/").append(incoming ? dialog_.local_tag() : dialog_.remote_tag());
  message.set(param::kCallid, callid);
}

std::string Leg::user_uri() const {
  return "sip:" + escape_user(user()) + "@" + (domain_.empty() ? services_.core.transport.reach(flow_).host : domain_);
}

BusMessage Leg::message(std::string_view name) const {
  BusMessage message(name, services_.core.engine.clock().wall());
  complete(message);
  return message;
}

// Requests within the dialog.

void Leg::in_dialog(const Request& request) {
  const Message& message = request.message;
  // §12.2.2: an older number than the last is out of order. The first CSeq of the far end of an outgoing leg is whatever it likes.
  if (!take_cseq(message)) return services_.reply(request, 500, "CSeq Out Of Order");
  if (authenticated_ && request.flow != flow_) set_flow(request.flow);
  const auto method = message.method();
  if (gone_ && method != Method::bye) return services_.reply(request, 481);
  far_end_.learn(message);
  if (method == Method::invite || method == Method::update)
    if (const auto minimum = SessionTimer::too_brief(message, session_terms()))
      return services_.reply(request, 422, {}, [&](Writer& writer) { writer.header(HeaderId::min_se, static_cast<unsigned long>(*minimum)); });
  switch (method) {
    case Method::bye:
      return bye(request);
    case Method::invite:
      if (!answered()) return services_.reply(request, 500, {}, [](Writer& writer) { writer.header(HeaderId::retry_after, 1ul); });
      return exchange_.reinvite(request);
    case Method::update:
      return updates_.request(request);
    case Method::prack:
      return acknowledged_reliably(request);
    case Method::options:
      return services_.reply(request, 200, {}, [](Writer& writer) {
        writer.header(HeaderId::allow, kAllow).header(HeaderId::accept, kAccept);
      });
    case Method::refer:
      return services_.transfers->refer(*this, request);
    case Method::info:
      return take_info(*this, request);
    case Method::message:
      return take_text(*this, request);
    case Method::notify:
      if (services_.referrals->notify(*this, request)) return;
      [[fallthrough]];
    default:
      return services_.reply(request, method == Method::other ? 501 : 405, {}, [](Writer& writer) { writer.header(HeaderId::allow, kAllow); });
  }
}

void Leg::bye(const Request& request) {
  services_.reply(request, 200);
  DisconnectReason reason;
  read_reason_headers(request.message, reason);
  if (const auto cause = parameter(reason, param::kCauseSip); !cause.empty() && cause != "200")
    reason.reason = text_of(std::atoi(std::string(cause).c_str()));
  // Our own 2xx may still be repeated: its ACK was lost, and is needless now (§15.1.2).
  if (exchange_.state() == Exchange::State::unacknowledged) {
    services_.core.transactions.acknowledged(exchange_.server());
    exchange_.unanswered();
  }
  bye_waits_ = false;
  if (!gone_) {
    if (answered()) exchange_.end();
    else ended_early(reason);
    updates_.end();
    leave(reason);
  }
  settle_end();
}

void Leg::acknowledge(const Message& ack) {
  if (!exchange_.acknowledged(ack)) return;
  if (bye_waits_) send_bye();
  join_sessions(*this);
  settle_end();
}

void Leg::response(stack::ClientTransactionId transaction, const Message& response, const stack::FlowId&) {
  if (response.status() >= 200 && proved(transaction, response)) return;
  if (transaction == bye_) {
    if (response.status() < 200) return;
    services_.legs.disown(bye_);
    bye_ = {};
    return settle_end();
  }
  if (response.status() < 200) return;
  far_end_.learn(response);
  if (transaction != exchange_.client()) {
    services_.legs.disown(transaction);
    const bool aside = std::erase_if(aside_, [&](const Aside& each) { return each.transaction == transaction; }) != 0;
    const bool over = transaction == updates_.client() ? updates_.response(response) : aside && response.status() == 481;
    if (over) drop({"nocall"});
    return;
  }
  if (response.status() < 300) {
    dialog_.refresh_target(response);
    return exchange_.success(response);
  }
  services_.legs.disown(transaction);
  if (exchange_.response(response)) drop({"nocall"});
}

bool Leg::learn_challenge(const Message& response, line::Proofs::Round& round) {
  const bool challenge = response.status() == 401 || response.status() == 407;
  return challenge && customer_ && customer_->proofs.learn(response, customer_->credentials, round) == line::Proofs::Verdict::answer;
}

line::Proofs::Round* Leg::round_of(stack::ClientTransactionId transaction) {
  if (!customer_) return nullptr;
  if (transaction == bye_) return &customer_->bye;
  if (transaction == exchange_.client()) return exchange_.state() == Exchange::State::inviting ? &customer_->invite : nullptr;
  if (transaction == updates_.client()) return updates_.state() == UpdateExchange::State::updating ? &customer_->update : nullptr;
  const auto aside = std::ranges::find(aside_, transaction, &Aside::transaction);
  return aside == aside_.end() || aside->body.empty() ? nullptr : &aside->round;
}

// RFC 3261 §22.2: the same request once more, with a number of its own.
bool Leg::proved(stack::ClientTransactionId transaction, const Message& response) {
  auto* const round = round_of(transaction);
  if (!round || !learn_challenge(response, *round)) return false;
  const auto learned = *round;
  services_.legs.disown(transaction);
  if (transaction == bye_) {
    write_bye();
    customer_->bye = learned;
  } else if (transaction == exchange_.client()) {
    if (!exchange_.send_again()) drop({"nocall"});
    customer_->invite = learned;
  } else if (transaction == updates_.client()) {
    if (!updates_.send_again()) drop({"nocall"});
    customer_->update = learned;
  } else {
    const auto aside = std::ranges::find(aside_, transaction, &Aside::transaction);
    const auto again = std::move(*aside);
    aside_.erase(aside);
    if (send_aside(again.method, again.body, again.content_type)) aside_.back().round = learned;
  }
  return true;
}

void Leg::client_failed(stack::ClientTransactionId transaction, stack::ClientFailure) {
  services_.legs.disown(transaction);
  if (transaction == bye_) {
    bye_ = {};
    return settle_end();
  }
  std::erase_if(aside_, [&](const Aside& each) { return each.transaction == transaction; });
  const bool update = transaction == updates_.client() && updates_.state() == UpdateExchange::State::updating;
  if (!update && (transaction != exchange_.client() || exchange_.state() != Exchange::State::inviting)) return;
  if (update) updates_.failed();
  else exchange_.failed();
  drop({"timeout"});  // §12.2.1.2: silence ends the dialog
}

void Leg::cancelled(stack::ServerTransactionId transaction, const Message&) {
  if (transaction == exchange_.server()) exchange_.cancelled();
}

void Leg::server_failed(stack::ServerTransactionId transaction) {
  services_.legs.disown(transaction);
  if (transaction != exchange_.server() || exchange_.state() != Exchange::State::unacknowledged) return;
  exchange_.unanswered();
  if (bye_waits_) send_bye();  // §15: only now
  else drop({"noack", {{std::string(param::kCauseSip), "408"}, {std::string(param::kReasonSip), "ACK Not Received"}}});
  settle_end();
}

// Ends.

void Leg::drop(const DisconnectReason& reason) {
  if (gone_) return;
  if (answered()) hang_up(reason);
  else end_setup(reason);
  leave(reason);
  settle_end();
}

void Leg::hang_up(const DisconnectReason& reason) {
  exchange_.end();
  updates_.end();
  bye_reason_ = reason_header(reason, true);
  // §15: the called side does not send BYE before its 2xx is acknowledged or given up.
  if (exchange_.state() == Exchange::State::unacknowledged) bye_waits_ = true;
  else send_bye();
}

void Leg::end_without_ack() {
  if (!bye_waits_) return;
  exchange_.unanswered();
  send_bye();
}

void Leg::send_bye() {
  bye_waits_ = false;
  write_bye();
}

void Leg::write_bye() {
  bye_ = send_request(Method::bye, {}, [this](Writer& writer) {
    if (!bye_reason_.empty()) writer.header(HeaderId::reason, bye_reason_);
  });
}

void Leg::leave(const DisconnectReason& reason, int own_code) {
  if (gone_) return;
  gone_ = true;
  for (auto& timer : timers_) services_.core.engine.timers().stop(timer);
  auto& engine = services_.core.engine;
  if (!peer().empty()) engine.channels().disconnect(id(), reason);
  if (auto& log = services_.core.log; log.enabled(LogLevel::debug))
    log.debug("event=hangup channel={} status={} reason={} callid={}", id(), status(), log_value(reason.reason), log_value(dialog_.call_id()));
  auto hangup = message(messages::kChanHangup);
  if (!caller_.empty()) hangup.set(param::kCaller, caller_);
  if (!called_.empty()) hangup.set(param::kCalled, called_);
  if (!username_.empty()) hangup.set(param::kUsername, username_);
  hangup.set(param::kReason, reason.reason);
  if (own_code != 0) hangup.set(param::kCauseSip, own_code).set(param::kReasonSip, reason_phrase(own_code));
  for (const auto& [name, value] : reason.parameters) hangup.set(name, value);
  if (has_challenges(reason)) hangup.set_flag(param::kCdrwrite, false);  // D19: it begins anew at once, with the answer
  engine.bus().enqueue(std::move(hangup));
  if (media_asked_) services_.release_media(*this, reason.reason);
  set_state(ChannelState::hungup);
  engine.channels().remove(*this);
}

void Leg::settle_end() {
  if (!gone_ || bye_ || bye_waits_ || setup_open() || exchange_.state() == Exchange::State::unacknowledged) return;
  services_.legs.finish(number_);
}

// Time.

void Leg::start_timer(Timer timer, Duration delay) {
  stop_timer(timer);
  if (delay.count() <= 0) return;
  const auto which = static_cast<std::size_t>(timer);
  const auto kind = timer == Timer::provisional ? TimerKind::coarse : TimerKind::precise;
  timers_[which] = services_.core.engine.timers().start(services_.timers, number_ * kTimers + which, delay, kind);
}

void Leg::stop_timer(Timer timer) {
  auto& handle = timers_[static_cast<std::size_t>(timer)];
  if (handle) services_.core.engine.timers().stop(handle);
  handle = {};
}

void Leg::timer(Timer timer) {
  timers_[static_cast<std::size_t>(timer)] = {};
  switch (timer) {
    case Timer::maxcall:
      return drop({"noanswer"});
    case Timer::maxpdd:
      return drop({"postdialdelay"});
    case Timer::timeout:
      return drop({"timeout"});
    case Timer::provisional:
      return provisional_due();
    case Timer::reliable:
      return reliable_due();
    case Timer::update:
      return updates_.too_late();
    case Timer::session:
      return session_due();
    case Timer::connecting:
      return connecting_due();
    case Timer::answer:
      return exchange_.answer_overdue();
    case Timer::join:
      return join_sessions(*this);
    case Timer::attempt:
      return attempt_due();
    case Timer::referral:
      return services_.referrals->overdue(*this);
  }
}

void Leg::set_answered_now() {
  set_answered();
  for (const Timer timer : {Timer::maxcall, Timer::maxpdd, Timer::provisional, Timer::attempt}) stop_timer(timer);
}

}  // namespace jackfield::sip::call
