#include "call/referral.h"

#include <jackfield/messages/chan.h>

#include <utility>

#include "call/leg.h"
#include "call/reasons.h"
#include "sip/text.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

constexpr Duration kOutcome = std::chrono::minutes(3);  // as long as a call rings (RFC 3515 §2.4.7: the far end may never say)

/// Who we are in the dialog, and whose server the far end takes us for.
std::optional<NameAddr> own_party(const Leg& leg) {
  const auto party = parse_name_addr(leg.dialog().local_party());
  return party ? std::optional(*party) : std::nullopt;
}

std::string refer_to(const Leg& leg, const BusMessage& message) {
  if (const auto uri = message.get(param::kCalleduri); !uri.empty()) return std::string(uri);
  const auto called = message.get(param::kCalled);
  const auto own = own_party(leg);
  if (called.empty() || !own) return {};
  auto uri = "sip:" + escape_user(called) + "@" + std::string(own->uri.host);
  if (own->uri.port != 0) uri.append(":").append(std::to_string(own->uri.port));
  return uri;
}

/// The status line of a message/sipfrag body; 0: it has none.
std::pair<int, std::string_view> status_of(std::string_view fragment) {
  constexpr std::string_view kVersion = "SIP/2.0 ";
  if (!fragment.starts_with(kVersion) || fragment.size() < kVersion.size() + 3) return {0, {}};
  const auto code = parse_number(fragment.substr(kVersion.size(), 3));
  if (!code || *code < 100 || *code > 699) return {0, {}};
  auto phrase = fragment.substr(kVersion.size() + 3);
  return {static_cast<int>(*code), text::trim(phrase.substr(0, phrase.find_first_of("\r\n")))};
}

}  // namespace

void Referrals::start() {
  handlers_.push_back(services_.core.engine.bus().install({.message = messages::kChanHangup, .priority = 100, .track = "sip"}, [this](BusMessage& message) -> Verdict {
    std::erase_if(referrals_, [&](const auto& each) { return each.second.leg == message.get(param::kId); });
    return false;
  }));
}

void Referrals::stop() {
  handlers_.clear();
  referrals_.clear();
  refers_.clear();
}

bool Referrals::begin(Leg& leg, BusMessage& message) {
  const auto refuse = [&](std::string_view error, std::string_view reason) {
    message.set(param::kError, error).set(param::kReason, reason);
    return false;
  };
  if (leg.gone() || !leg.answered()) return refuse("nocall", "It is not answered");
  if (referrals_.contains(leg.number())) return refuse("pending", "A transfer is under way");
  auto target = refer_to(leg, message);
  const auto uri = Uri::parse(target);
  if (!uri || uri->host.empty()) return refuse("incomplete", "called or calleduri says to whom");
  auto& referral = referrals_[leg.number()] = {.leg = leg.id(), .asked_by = std::string(message.get(param::kId)), .target = std::move(target)};
  if (send(leg, referral)) return true;
  referrals_.erase(leg.number());
  return refuse("noanswer", "It could not be sent");
}

bool Referrals::send(Leg& leg, Referral& referral) {
  const auto own = own_party(leg);
  referral.refer = leg.send_request(Method::refer, {}, [&](Writer& writer) {
    leg.write_contact(writer);
    writer.header(HeaderId::refer_to, "<" + referral.target + ">");
    if (own) writer.header(HeaderId::referred_by, "<" + std::string(own->uri.text) + ">");  // RFC 3892
  });
  if (!referral.refer) return false;
  services_.legs.disown(referral.refer);
  refers_.emplace(referral.refer.value, leg.number());
  return true;
}

bool Referrals::response(stack::ClientTransactionId transaction, const Message& response) {
  const auto found = refers_.find(transaction.value);
  if (found == refers_.end()) return false;
  if (response.status() < 200) return true;
  const auto number = found->second;
  refers_.erase(found);
  const auto referral = referrals_.find(number);
  Leg* leg = services_.legs.find(number);
  if (referral == referrals_.end() || referral->second.refer != transaction || !leg || leg->gone()) return true;
  if (leg->learn_challenge(response, referral->second.round) && send(*leg, referral->second)) return true;
  if (response.status() >= 300) conclude(number, response.status(), response.reason_phrase());
  else leg->start_timer(Leg::Timer::referral, kOutcome);
  return true;
}

bool Referrals::client_failed(stack::ClientTransactionId transaction) {
  const auto found = refers_.find(transaction.value);
  if (found == refers_.end()) return false;
  const auto number = found->second;
  refers_.erase(found);
  if (const auto referral = referrals_.find(number); referral != referrals_.end() && referral->second.refer == transaction) conclude(number, 408, {});
  return true;
}

// RFC 3515 §2.4.5.
bool Referrals::notify(Leg& leg, const Request& request) {
  const auto event = request.message.value(HeaderId::event);
  if (!text::equal(text::trim(event.substr(0, event.find(';'))), "refer") || !referrals_.contains(leg.number())) return false;
  services_.reply(request, 200);
  const auto state = request.message.value(HeaderId::subscription_state);
  const bool last = text::equal(text::trim(state.substr(0, state.find(';'))), "terminated");
  const auto [code, phrase] = status_of(request.message.body());
  if (code >= 200) conclude(leg.number(), code, phrase);
  else if (last) conclude(leg.number(), 480, {});
  return true;
}

void Referrals::overdue(Leg& leg) { conclude(leg.number(), 408, {}); }

void Referrals::conclude(LegNumber number, int code, std::string_view phrase) {
  auto done = referrals_.extract(number);
  Leg* leg = services_.legs.find(number);
  if (done.empty() || !leg || leg->gone()) return;
  leg->stop_timer(Leg::Timer::referral);
  const bool transferred = code / 100 == 2;
  const auto& referral = done.mapped();
  services_.core.log.info("event={} channel={} uri={} code={}", transferred ? "transferred" : "transfer_failed", leg->id(), log_value(referral.target), code);
  auto told = leg->message(messages::kChanNotify);
  if (!referral.asked_by.empty()) told.set(param::kTargetid, referral.asked_by);
  told.set(param::kOperation, "transfer").set(param::kReason, transferred ? "transferred" : text_of(code));
  told.set(param::kCauseSip, static_cast<long long>(code)).set(param::kReasonSip, phrase.empty() ? reason_phrase(code) : phrase);
  services_.core.engine.bus().enqueue(std::move(told));
  if (transferred) leg->drop({"transferred"});
}

}  // namespace jackfield::sip::call
