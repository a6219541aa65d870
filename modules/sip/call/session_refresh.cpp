// Leg's part in session timers (RFC 4028) and in what its peer leg asks of the session: which exchange takes a request of the peer,
// when the session is refreshed and how, and what a refusal means.
#include <jackfield/messages/call.h>

#include <chrono>

#include "call/leg.h"
#include "settings.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

constexpr Duration kBusy = std::chrono::seconds(1);      // another exchange is under way, which may be a refresh itself
constexpr Duration kRefused = std::chrono::seconds(10);  // whoever could not now may soon

}  // namespace

SessionTimer::Terms Leg::session_terms() const { return services_.core.settings->call.session; }

void Leg::watch_session() {
  if (gone_) return;
  if (const auto wait = session_.wait(services_.core.engine.clock().now())) start_timer(Timer::session, *wait);
  else stop_timer(Timer::session);
}

void Leg::session_confirmed(const Message& response) {
  far_end_.learn(response);
  session_.accepted(response, session_terms(), services_.core.engine.clock().now());
  watch_session();
}

void Leg::session_due() {
  if (session_.due() == SessionTimer::Due::end)
    return drop({"timeout", {{std::string(param::kCauseSip), "408"}, {std::string(param::kReasonSip), "Session Expired"}}});
  watch_session();  // the end, should nothing be heard
  if (!may_offer()) {
    session_.postponed(services_.core.engine.clock().now(), kBusy);
    return watch_session();
  }
  if (far_end_.update) updates_.refresh();
  else exchange_.refresh();
}

Duration Leg::glare_wait() const {
  // RFC 3261 §14.1, RFC 3311 §5.1: who made the Call-ID waits longer, so that two that crossed do not cross again.
  constexpr std::uint64_t kStep = 10;  // ms
  const bool owner = direction() == ChannelDirection::outgoing;
  const std::uint64_t steps = services_.core.engine.random().next() % (owner ? 191 : 201);
  return Duration((owner ? 2100 : 0) + static_cast<Duration::rep>(steps * kStep));
}

void Leg::refresh_refused(int code) {
  session_.refused(services_.core.engine.clock().now(), code == 491 ? glare_wait() : kRefused);
  watch_session();
}

bool Leg::may_offer() const {
  return answered() && exchange_.state() == Exchange::State::idle && updates_.state() == UpdateExchange::State::idle;
}

Leg::Offers Leg::offers(const Message&) const {
  if (exchange_.offer_waits() || updates_.state() == UpdateExchange::State::updating) return Offers::ours_waits;
  const bool theirs = exchange_.state() == Exchange::State::peer_asked || exchange_.state() == Exchange::State::answer_due ||
                      updates_.state() == UpdateExchange::State::peer_asked;
  return theirs ? Offers::theirs_waits : Offers::allowed;
}

bool Leg::update(BusMessage& message) {
  const auto operation = message.get(param::kOperation);
  const auto sdp = message.get(param::kSdpRaw);
  const bool to_update = updates_.state() == UpdateExchange::State::peer_asked;
  if (operation == "request" || operation == "initiate") {
    const bool asks_update = message.get(param::kMethod) == "UPDATE" && !sdp.empty();
    const bool by_update = asks_update && far_end_.update;
    if (gone_ || (!answered() && !asks_update)) {
      message.set(param::kError, "nocall");
      return false;
    }
    if (!may_offer() || (!answered() && !by_update)) {
      message.set(param::kError, "pending");
      return false;
    }
    if (by_update) updates_.ask(sdp);
    else exchange_.ask(sdp);
    return true;
  }
  if (operation == "notify") {
    if (to_update) updates_.give_answer(sdp);
    else exchange_.give_answer(sdp);
    return true;
  }
  if (operation == "reject") {
    if (to_update) updates_.reject(message);
    else exchange_.reject(message);
    return true;
  }
  return operation == "cancel" && exchange_.take_back();
}

}  // namespace jackfield::sip::call
