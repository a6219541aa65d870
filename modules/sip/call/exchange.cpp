#include "call/exchange.h"

#include <jackfield/messages/call.h>

#include "call/description.h"
#include "call/leg.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

// RFC 3261 §21.1.1: a peer leg that cannot take the session at all.
constexpr int kNotAcceptable = 488;

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
  if (has_unknown_body(request.message))
    return services.reply(request, 415, {}, [](Writer& writer) { writer.header(HeaderId::accept, kAccept); });
  services.legs.disown(server_);
  server_ = request.transaction ? request.transaction : services.core.transactions.begin({request.message, request.flow});
  services.legs.own(server_, leg_.number());
  cseq_ = request.message.cseq()->number;
  const auto description = description_of(request.message);
  offered_ = description.empty();  // then our 2xx has the offer
  state_ = State::peer_asked;
  leg_.dialog().refresh_target(request.message);
  ask_peer("request", kNotAcceptable, description);
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
  const auto description = description_of(response);
  if (offered_ || description.empty() || leg_.gone()) send_ack({});
  else state_ = State::answer_due;
  // The first INVITE's answer is call.answered, which the leg sends.
  if (leg_.answered() && !leg_.gone()) tell_peer("notify", description);
}

bool Exchange::response(const Message& response) {
  if (state_ != State::inviting) return false;
  state_ = State::idle;
  tell_refusal(from_response(response));
  return response.status() == 408 || response.status() == 481;
}

void Exchange::failed() {
  state_ = State::idle;
  tell_refusal({"noanswer"});
}

bool Exchange::acknowledged(const Message& ack) {
  if (state_ != State::unacknowledged || ack.cseq()->number != cseq_) return false;
  auto& services = leg_.services();
  services.core.transactions.acknowledged(server_);
  services.legs.disown(server_);
  state_ = State::idle;
  if (offered_ && !leg_.gone()) tell_peer("notify", description_of(ack));
  return true;
}

void Exchange::cancelled() {
  // The other end may have agreed meanwhile, and both must know the same session: its answer decides, a 487 or a 200 that was faster.
  if (state_ == State::peer_asked) ask_peer("cancel", 487);
}

// From the peer leg.

bool Exchange::update(BusMessage& message) {
  const auto operation = message.get(param::kOperation);
  if (operation == "request") return ask(message);
  if (operation == "notify") {
    give_answer(message.get(param::kSdpRaw));
    return true;
  }
  if (operation == "cancel") return take_back();
  if (operation == "reject") {
    DisconnectReason reason{std::string(message.get(param::kError))};
    if (state_ == State::answer_due) leg_.drop(reason);  // a 2xx cannot be refused any more: acknowledged, then ended (§13.2.2.4)
    if (state_ != State::peer_asked) return true;
    for (const std::string_view name : {std::string_view(param::kCauseSip), std::string_view(param::kReasonSip)})
      if (message.has(name)) set_parameter(reason, name, message.get(name));
    const auto answer = final_answer(reason, kNotAcceptable);
    refuse_reinvite(answer.code, answer.phrase);
    return true;
  }
  return false;
}

bool Exchange::ask(BusMessage& message) {
  if (leg_.gone() || !leg_.answered()) {
    message.set(param::kError, "nocall");
    return false;
  }
  if (state_ != State::idle) {
    message.set(param::kError, "pending");
    return false;
  }
  const auto sdp = message.get(param::kSdpRaw);
  state_ = State::inviting;
  offered_ = !sdp.empty();
  leg_.services().media(leg_, MediaStep::offer, sdp, [](Leg& leg, std::optional<std::string> offer) { leg.exchange().send_offer(std::move(offer)); });
  return true;
}

bool Exchange::take_back() {
  if (state_ != State::inviting || !leg_.answered()) return false;
  if (client_) {
    leg_.services().core.transactions.cancel(client_);
  } else {  // a media module is still asked
    state_ = State::idle;
    tell_refusal({"cancelled"});
  }
  return true;
}

void Exchange::send_offer(std::optional<std::string> sdp) {
  if (leg_.gone() || state_ != State::inviting) return;
  auto& services = leg_.services();
  services.legs.disown(client_);
  client_ = {};
  if (sdp) client_ = leg_.send_request(Method::invite, sdp->empty() ? std::string() : leg_.identity().apply(*sdp));
  if (client_) return;
  state_ = State::idle;
  tell_refusal({sdp ? "noanswer" : "unacceptable"});
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
  ack_body_ = sdp;
  leg_.send_ack(cseq_, ack_body_);
}

void Exchange::end() {
  if (state_ == State::peer_asked) refuse_reinvite(487, {});
  if (state_ == State::answer_due) send_ack({});
  if (state_ == State::inviting) state_ = State::idle;
}

// To the peer leg.

BusMessage Exchange::update_for_peer(std::string_view operation, std::string_view sdp) const {
  auto message = leg_.message(messages::kCallUpdate);
  message.set(param::kOperation, operation);
  if (!sdp.empty()) message.set(param::kRtpForward, "yes").set(param::kSdpRaw, sdp);
  return message;
}

void Exchange::tell_peer(std::string_view operation, std::string_view sdp) {
  leg_.services().core.engine.bus().enqueue(update_for_peer(operation, sdp));
}

void Exchange::ask_peer(std::string_view operation, int unhandled, std::string_view sdp) {
  auto& services = leg_.services();
  services.core.engine.bus().enqueue(update_for_peer(operation, sdp), [weak = services.self, number = leg_.number(), server = server_, unhandled](BusMessage& asked, bool handled) {
    const auto services = weak.lock();
    if (handled || !services) return;
    const LegTable::Scope scope(services->legs);
    Leg* leg = services->legs.find(number);
    if (!leg || leg->exchange().state() != State::peer_asked || leg->exchange().server() != server) return;
    leg->exchange().refuse_reinvite(code_of(asked.get(param::kError)).value_or(unhandled), {});
  });
}

void Exchange::tell_refusal(const DisconnectReason& reason) {
  auto message = leg_.message(messages::kCallUpdate);
  message.set(param::kOperation, "reject");
  message.set(param::kError, reason.reason);
  for (const auto& [name, value] : reason.parameters) message.set(name, value);
  leg_.services().core.engine.bus().enqueue(std::move(message));
}

}  // namespace jackfield::sip::call
