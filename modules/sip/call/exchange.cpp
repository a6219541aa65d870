#include "call/exchange.h"

#include <jackfield/messages/parameters.h>

#include <algorithm>
#include <utility>

#include "call/description.h"
#include "call/leg.h"
#include "call/peer_update.h"

namespace jackfield::sip::call {

namespace {

// The far end repeats its 2xx for 64*T1 and then ends the call (§13.3.1.4); should it be gone itself, we do a little later.
constexpr int kAnswerPatience = 72;  // times T1

}  // namespace

void Exchange::invited(stack::ClientTransactionId client, bool offered) {
  client_ = client;
  offered_ = offered;
  state_ = State::inviting;
}

void Exchange::answered(stack::ServerTransactionId server, std::uint32_t cseq, bool offered) {
  server_ = server;
  cseq_ = cseq;
  offered_ = offered;
  state_ = State::unacknowledged;
}

// From the far end.

void Exchange::reinvite(const Request& request) {
  auto& services = leg_.services();
  switch (state_) {
    case State::idle:
      break;
    case State::peer_asked:  // §14.2: the last one has no final response yet
      return services.reply(request, 500, {}, [](Writer& writer) { writer.header(HeaderId::retry_after, 1ul); });
    case State::inviting:
    case State::answer_due:
    case State::unacknowledged:
      return services.reply(request, 491);
  }
  switch (leg_.updates().state()) {  // RFC 3311 §5.2 holds for both
    case UpdateExchange::State::idle:
      break;
    case UpdateExchange::State::updating:
      return services.reply(request, 491);
    case UpdateExchange::State::peer_asked:
      return services.reply(request, 500, {}, [](Writer& writer) { writer.header(HeaderId::retry_after, 1ul); });
  }
  if (has_unknown_body(request.message))
    return services.reply(request, 415, {}, [](Writer& writer) { writer.header(HeaderId::accept, kAccept); });
  services.legs.disown(server_);
  server_ = services.begin(request);
  services.legs.own(server_, leg_.number());
  cseq_ = request.message.cseq()->number;
  const auto description = description_of(request.message);
  offered_ = description.empty();  // then our 2xx has the offer
  state_ = State::peer_asked;
  leg_.refresh_target(request.message);
  leg_.session().asked(request.message, leg_.session_terms());
  pass_on("request", kNotAcceptable, description);
}

void Exchange::success(const Message& response) {
  const auto cseq = response.cseq()->number;
  switch (state_) {
    case State::answer_due:
      return;  // repeated while the answer is on its way
    case State::inviting:
      break;
    default:  // repeated: our ACK was lost
      return leg_.send_ack(cseq, ack_body_);
  }
  cseq_ = cseq;
  leg_.session_confirmed(response);
  auto description = description_of(response);
  const auto own_streams = std::exchange(streams_, 0);
  const auto fitting = own_streams != 0 ? first_streams(description, own_streams) : std::string();
  if (own_streams != 0) description = fitting;
  if (offered_ || description.empty() || leg_.gone()) send_ack({});
  else await_answer(description);
  // The first INVITE's answer is call.answered, which the leg sends.
  if (std::exchange(refreshing_, false) || !leg_.answered() || leg_.gone()) return;
  if (std::exchange(own_, false) && state_ == State::answer_due) pass_on("request", kNotAcceptable, description);
  else tell_peer(leg_, description);
}

void Exchange::await_answer(std::string_view offer) {
  state_ = State::answer_due;
  offer_due_ = offer;
  leg_.start_timer(Leg::Timer::answer, leg_.services().core.settings->transactions.t1 * kAnswerPatience);
}

void Exchange::answer_overdue() {
  if (state_ == State::answer_due) leg_.drop({"unacceptable"});
}

bool Exchange::response(const Message& response) {
  if (state_ != State::inviting) return false;
  const int code = response.status();
  if (code == 422 && leg_.session().raise(response, leg_.session_terms()) && send(offered_ ? leg_.sent_description() : std::string())) return false;
  state_ = State::idle;
  const bool over = code == 408 || code == 481;
  if (std::exchange(refreshing_, false)) {
    if (!over) leg_.refresh_refused(code);
    return over;
  }
  const bool own = std::exchange(own_, false);
  if (own && code == 491) {  // its own change is under way
    leg_.set_session_with({});
    leg_.start_timer(Leg::Timer::join, std::max(leg_.glare_wait(), Duration(1)));
    return false;
  }
  tell_refusal(leg_, from_response(response));
  // Without a session of their own two that were joined hear nothing of each other.
  return over || own;
}

void Exchange::failed() {
  state_ = State::idle;
  if (!std::exchange(refreshing_, false)) tell_refusal(leg_, {"noanswer"});
}

bool Exchange::acknowledged(const Message& ack) {
  if (state_ != State::unacknowledged || ack.cseq()->number != cseq_) return false;
  auto& services = leg_.services();
  services.core.transactions.acknowledged(server_);
  services.legs.disown(server_);
  state_ = State::idle;
  if (offered_ && !leg_.gone()) tell_peer(leg_, description_of(ack));
  return true;
}

void Exchange::cancelled() {
  // The other end may have agreed meanwhile, and both must know the same session: its answer decides, a 487 or a 200 that was faster.
  if (state_ == State::peer_asked) pass_on("cancel", 487);
}

// From the peer leg.

void Exchange::ask(std::string_view sdp) {
  state_ = State::inviting;
  offered_ = !sdp.empty();
  leg_.services().media(leg_, MediaStep::offer, sdp, [](Leg& leg, std::optional<std::string> offer) { leg.exchange().send_offer(std::move(offer)); });
}

void Exchange::reject(const BusMessage& message) {
  if (state_ == State::answer_due)  // a 2xx cannot be refused any more: acknowledged, then ended (§13.2.2.4)
    leg_.drop({std::string(message.get(messages::param::kError))});
  if (state_ != State::peer_asked) return;
  const auto answer = refusal_in(message);
  refuse_reinvite(answer.code, answer.phrase);
}

void Exchange::ask_for_offer() {
  state_ = State::inviting;
  offered_ = false;
  own_ = true;
  send_offer(std::string());
}

bool Exchange::take_back() {
  if (state_ != State::inviting || refreshing_ || !leg_.answered()) return false;
  if (client_) {
    leg_.services().core.transactions.cancel(client_);
  } else {  // a media module is still asked
    state_ = State::idle;
    tell_refusal(leg_, {"cancelled"});
  }
  return true;
}

void Exchange::send_offer(std::optional<std::string> sdp) {
  if (leg_.gone() || state_ != State::inviting) return;
  if (sdp && !sdp->empty()) {
    const auto streams = stream_count(*sdp);
    if (auto whole = with_streams_of(*sdp, leg_.sent_description()); stream_count(whole) != streams) {
      streams_ = streams;
      *sdp = std::move(whole);
    }
    *sdp = leg_.identity().apply(*sdp);
  }
  if (sdp && send(*sdp)) return;
  state_ = State::idle;
  tell_refusal(leg_, {sdp ? "noanswer" : "unacceptable"});
}

void Exchange::refresh() {
  state_ = State::inviting;
  offered_ = refreshing_ = true;
  if (send(leg_.sent_description())) return;
  state_ = State::idle;
  refreshing_ = false;
}

bool Exchange::send_again() { return send(offered_ ? std::string(leg_.sent_description()) : std::string()); }

bool Exchange::send(std::string_view body) {
  leg_.services().legs.disown(client_);
  client_ = leg_.send_request(Method::invite, body);
  return static_cast<bool>(client_);
}

void Exchange::give_answer(std::string_view sdp) {
  if (state_ != State::peer_asked && state_ != State::answer_due) return;
  const auto step = state_ == State::peer_asked && offered_ ? MediaStep::offer : MediaStep::answer;
  leg_.services().media(leg_, step, sdp, [](Leg& leg, std::optional<std::string> answer) { leg.exchange().send_answer(std::move(answer)); });
}

void Exchange::send_answer(std::optional<std::string> sdp) {
  if (leg_.gone()) return;
  const auto body = sdp && !sdp->empty() ? leg_.identity().apply(*sdp) : std::string();
  if (state_ == State::answer_due) return send_ack(body);
  if (state_ != State::peer_asked) return;
  if (!sdp) return refuse_reinvite(kNotAcceptable, {});
  state_ = State::unacknowledged;
  if (!leg_.respond(server_, 200, {}, body)) state_ = State::idle;
}

void Exchange::refuse_reinvite(int code, std::string_view phrase) {
  state_ = State::idle;
  leg_.respond(server_, code, phrase);
  leg_.services().legs.disown(server_);
}

void Exchange::send_ack(std::string_view sdp) {
  state_ = State::idle;
  offer_due_.clear();
  leg_.stop_timer(Leg::Timer::answer);
  ack_body_ = sdp;
  leg_.send_ack(cseq_, ack_body_);
}

void Exchange::end() {
  if (state_ == State::peer_asked) refuse_reinvite(487, {});
  if (state_ == State::answer_due) send_ack({});
  if (state_ == State::inviting) state_ = State::idle;
}

void Exchange::pass_on(std::string_view operation, int otherwise, std::string_view sdp) {
  ask_peer(leg_, server_, {operation, Method::invite, sdp, otherwise}, [](Leg& leg, stack::ServerTransactionId request, int code) {
    auto& exchange = leg.exchange();
    if (exchange.state_ == State::answer_due) return leg.drop({"unacceptable"});  // the peer cannot answer its offer
    if (exchange.state_ == State::peer_asked && exchange.server_ == request) exchange.refuse_reinvite(code, {});
  });
}

}  // namespace jackfield::sip::call
