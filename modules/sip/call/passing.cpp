#include "call/passing.h"

#include <jackfield/messages/chan.h>

#include <algorithm>

#include "answer.h"
#include "call/dtmf_info.h"
#include "call/leg.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

constexpr std::string_view kPlain = "text/plain";
constexpr std::size_t kMostDigits = 64;  // of one chan.dtmf: each is a request
constexpr int kNobodyTookIt = 480;

void write_accept(Writer& writer) { writer.header(HeaderId::accept, "application/dtmf-relay, application/dtmf"); }

/// Answers `request` once the bus has decided.
void pass(Leg& leg, const Request& request, BusMessage message, int refusal) {
  auto& services = leg.services();
  auto& bus = services.core.engine.bus();
  bus.enqueue(std::move(message), [weak = services.self, transaction = services.begin(request), refusal](BusMessage&, bool handled) {
    const auto services = weak.lock();
    if (!services) return;
    auto& core = services->core;
    const Message* request = core.transactions.request_of(transaction);
    if (!request) return;
    const auto flow = core.transactions.flow_of(transaction);
    answer(core, {*request, flow}, transaction, handled ? 200 : refusal, {}, [&](Writer& writer) {
      if (!handled && refusal == 415) write_accept(writer);
    });
  });
}

BusMessage with_body(const Leg& leg, const messages::MessageName& name, const Message& request) {
  auto message = leg.message(name);
  message.set(param::kXsipType, request.value(HeaderId::content_type)).set(param::kXsipBody, request.body());
  return message;
}

}  // namespace

void take_info(Leg& leg, const Request& request) {
  auto& services = leg.services();
  const Message& info = request.message;
  if (info.body().empty()) return services.reply(request, 200);
  const auto digit = read_digit(info.value(HeaderId::content_type), info.body());
  if (!digit) {
    auto message = with_body(leg, messages::kChanText, info);
    message.set(param::kMethod, method_name(Method::info));
    return pass(leg, request, std::move(message), 415);
  }
  services.reply(request, 200);
  auto message = with_body(leg, messages::kChanDtmf, info);
  message.set(param::kText, std::string_view(&digit->digit, 1)).set(param::kDetected, "sip-info");
  if (digit->duration) message.set(param::kDuration, static_cast<long long>(*digit->duration));
  services.core.engine.bus().enqueue(std::move(message));
}

void take_text(Leg& leg, const Request& request) {
  auto message = with_body(leg, messages::kChanText, request.message);
  const auto type = parse_media_type(request.message.value(HeaderId::content_type));
  if (!type || type->is("text", "plain")) message.set(param::kText, request.message.body());
  pass(leg, request, std::move(message), kNobodyTookIt);
}

bool send_digits(Leg& leg, const BusMessage& message) {
  if (leg.gone() || !leg.answered() || !leg.far_end().info) return false;
  const auto body = message.get(param::kXsipBody), type = message.get(param::kXsipType);
  if (!body.empty() && !type.empty()) return leg.send_aside(Method::info, body, type);
  const auto digits = message.get(param::kText);
  if (digits.empty() || digits.size() > kMostDigits || !std::ranges::all_of(digits, is_digit)) return false;
  InfoDigit digit{};
  if (const auto duration = message.number(param::kDuration); duration > 0 && duration <= 10000) digit.duration = static_cast<unsigned>(duration);
  bool sent = true;
  for (const char c : digits) {
    digit.digit = c;
    sent = leg.send_aside(Method::info, write_digit(digit), kDtmfRelay) && sent;
  }
  return sent;
}

bool send_text(Leg& leg, const BusMessage& message) {
  if (leg.gone() || !leg.answered()) return false;
  const bool info = message.get(param::kMethod) == method_name(Method::info);
  if (info ? !leg.far_end().info : !leg.far_end().message) return false;
  auto body = message.get(param::kXsipBody), type = message.get(param::kXsipType);
  if (body.empty()) body = message.get(param::kText), type = kPlain;
  return !body.empty() && leg.send_aside(info ? Method::info : Method::message, body, type.empty() ? kPlain : type);
}

}  // namespace jackfield::sip::call
