#include "call/update_exchange.h"

#include "call/description.h"
#include "call/leg.h"
#include "call/peer_update.h"

namespace jackfield::sip::call {

namespace {

// A response to UPDATE should come at once (RFC 3311 §5.2); its sender gives up after 64*T1.
constexpr int kPatience = 32;  // times T1

constexpr auto retry_soon = [](Writer& writer) { writer.header(HeaderId::retry_after, 1ul); };

}  // namespace

// From the far end.

void UpdateExchange::request(const Request& request) {
  auto& services = leg_.services();
  const auto description = description_of(request.message);
  if (has_unknown_body(request.message))
    return services.reply(request, 415, {}, [](Writer& writer) { writer.header(HeaderId::accept, kAccept); });
  if (!description.empty()) {  // §5.2
    switch (leg_.offers(request.message)) {
      case Leg::Offers::ours_waits:
        return services.reply(request, 491);
      case Leg::Offers::theirs_waits:
        return services.reply(request, 500, {}, retry_soon);
      case Leg::Offers::allowed:
        break;
    }
  }
  const auto server = services.begin(request);
  leg_.refresh_target(request.message);
  leg_.session().asked(request.message, leg_.session_terms());
  if (!description.empty()) return offered(server, description);
  leg_.respond(server, 200);
}

void UpdateExchange::offered(stack::ServerTransactionId server, std::string_view description) {
  server_ = server;
  state_ = State::peer_asked;
  leg_.start_timer(Leg::Timer::update, leg_.services().core.settings->transactions.t1 * kPatience);
  ask_peer(leg_, server_, {"request", Method::update, description, kNotAcceptable}, [](Leg& leg, stack::ServerTransactionId request, int code) {
    if (auto& updates = leg.updates(); updates.state_ == State::peer_asked && updates.server_ == request) updates.refuse(code);
  });
}

bool UpdateExchange::response(const Message& response) {
  if (state_ != State::updating) return false;
  const int code = response.status();
  if (code == 422 && leg_.session().raise(response, leg_.session_terms()) && send_again()) return false;
  state_ = State::idle;
  const bool refreshed = std::exchange(refreshing_, false);
  if (code < 300) {
    leg_.refresh_target(response);
    leg_.session_confirmed(response);
    if (!refreshed) tell_peer(leg_, description_of(response));
    return false;
  }
  const bool over = code == 408 || code == 481;
  if (!refreshed) tell_refusal(leg_, from_response(response));
  else if (!over) leg_.refresh_refused(code);
  return over;
}

void UpdateExchange::failed() {
  if (state_ != State::updating) return;
  state_ = State::idle;
  if (!std::exchange(refreshing_, false)) tell_refusal(leg_, {"noanswer"});
}

void UpdateExchange::too_late() {
  if (state_ != State::peer_asked) return;
  const auto server = server_;
  refuse(504);  // RFC 3311 §5.2: somebody has to be asked; an INVITE can wait for him
  ask_peer(leg_, server, {"cancel", Method::update, {}, 0}, [](Leg&, stack::ServerTransactionId, int) {});
}

// From the peer leg.

void UpdateExchange::ask(std::string_view sdp) {
  state_ = State::updating;
  refreshing_ = false;
  leg_.services().media(leg_, MediaStep::offer, sdp, [](Leg& leg, std::optional<std::string> offer) { leg.updates().send_offer(std::move(offer)); });
}

void UpdateExchange::send_offer(std::optional<std::string> sdp) {
  if (leg_.gone() || state_ != State::updating) return;
  if (sdp && send(sdp->empty() ? std::string() : leg_.identity().apply(*sdp))) return;
  state_ = State::idle;
  tell_refusal(leg_, {sdp ? "noanswer" : "unacceptable"});
}

void UpdateExchange::refresh() {
  state_ = State::updating;
  refreshing_ = true;
  if (send({})) return;
  state_ = State::idle;
  refreshing_ = false;
}

bool UpdateExchange::send(std::string_view body) {
  auto& services = leg_.services();
  services.legs.disown(client_);
  client_ = leg_.send_request(Method::update, body);
  return static_cast<bool>(client_);
}

bool UpdateExchange::send_again() { return send(refreshing_ ? std::string() : std::string(leg_.sent_description())); }

void UpdateExchange::give_answer(std::string_view sdp) {
  if (state_ != State::peer_asked) return;
  leg_.services().media(leg_, MediaStep::answer, sdp, [](Leg& leg, std::optional<std::string> answer) { leg.updates().send_answer(std::move(answer)); });
}

void UpdateExchange::send_answer(std::optional<std::string> sdp) {
  if (leg_.gone() || state_ != State::peer_asked) return;
  if (!sdp) return refuse(kNotAcceptable);
  state_ = State::idle;
  leg_.stop_timer(Leg::Timer::update);
  leg_.respond(server_, 200, {}, sdp->empty() ? std::string() : leg_.identity().apply(*sdp));
}

void UpdateExchange::reject(const BusMessage& message) {
  if (state_ != State::peer_asked) return;
  const auto answer = refusal_in(message);
  refuse(answer.code, answer.phrase);
}

void UpdateExchange::refuse(int code, std::string_view phrase) {
  state_ = State::idle;
  leg_.stop_timer(Leg::Timer::update);
  leg_.respond(server_, code, phrase);
}

void UpdateExchange::end() {
  if (state_ == State::peer_asked) refuse(487);
  else state_ = State::idle;
}

}  // namespace jackfield::sip::call
