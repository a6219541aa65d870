#include "outside/outside.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/sip.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "answer.h"
#include "call/calls.h"
#include "call/identity.h"
#include "call/parameters.h"
#include "call/reasons.h"
#include "sip/text.h"

namespace jackfield::sip::outside {

namespace {

namespace param = messages::param;

constexpr std::string_view kPlainText = "text/plain";
// The sender of a text message waits 32 s (timer F) for its answer; it is told in time (RFC 4320 §4).
constexpr Duration kDelivery = std::chrono::seconds(20);
constexpr std::size_t kMaxTargets = 64;  // of one text message

std::string method_message(const Message& request) {
  std::string name = "sip.";
  for (const char c : request.method_text()) name += text::lower(c);
  return name;
}

/// What a request is on the bus (COMPAT §13).
jackfield::Message describe(const Core& core, std::string_view name, const Message& request, const stack::FlowId& flow, const sip::Sender& sender) {
  jackfield::Message message(name, core.engine.clock().wall());
  const call::Parties parties(request);
  const bool believed = call::is_believed(core, sender);
  message.set(param::kModule, "sip").set(param::kMethod, request.method_text());
  message.set(param::kCaller, parties.caller).set(param::kCalled, parties.called);
  if (!parties.callername.empty()) message.set(param::kCallername, parties.callername);
  if (!sender.username.empty()) message.set(param::kUsername, sender.username);
  if (!sender.line.empty()) message.set(param::kInLine, sender.line);
  if (const auto& uri = request.request_uri()) message.set(param::kDomain, uri->host);
  const auto hops = request.max_forwards().value_or(core.settings->max_forwards);
  message.set(param::kAntiloop, hops > 0 ? static_cast<long long>(hops) - 1 : 0);
  set_source(message, core, flow);
  message.set(param::kSipUri, request.request_uri_text());
  message.set(param::kSipFrom, request.from()->uri.text).set(param::kSipTo, request.to()->uri.text);
  message.set(param::kSipCallid, request.call_id()).set(param::kSipCseq, static_cast<long long>(request.cseq()->number));
  if (const auto device = request.value(HeaderId::user_agent); !device.empty()) message.set(param::kDevice, device);
  call::copy_headers(message, request, believed);
  call::describe_identity(message, request, believed);
  message.set(param::kXsipDlgtag, core.transactions.to_tag(request));
  if (!request.body().empty()) message.set(param::kXsipBody, request.body()).set(param::kXsipType, request.value(HeaderId::content_type));
  for (const auto& [key, value] : sender.parameters) message.set(key, value);
  return message;
}

/// Where a routed text message goes: the one target, or each of a fork's.
std::vector<std::string> targets_of(const jackfield::Message& routed) {
  auto callto = routed.retvalue();
  if (callto != "fork" && !callto.starts_with("fork ")) return {std::string(callto)};
  std::vector<std::string> targets;
  const auto add = [&](std::string_view target) {
    if (!target.empty() && target.front() != '|' && targets.size() < kMaxTargets) targets.emplace_back(target);
  };
  for (callto.remove_prefix(4); !callto.empty();) {
    const auto blank = callto.find(' ');
    add(callto.substr(0, blank));
    callto.remove_prefix(blank == std::string_view::npos ? callto.size() : blank + 1);
  }
  for (unsigned number = 1; targets.empty() || number > 1; ++number) {
    const auto* target = routed.find("callto." + std::to_string(number));
    if (!target) break;
    add(target->value);
  }
  return targets;
}

/// A code that tells the sender what became of its request; what the bus says counts where no far end did.
int code_in(const jackfield::Message& message, int unknown) {
  if (const auto code = message.number(param::kCode); code >= 200 && code <= 699) return static_cast<int>(code);
  const auto error = message.get(param::kError);
  return error.empty() ? unknown : call::code_of(error).value_or(unknown);
}

}  // namespace

Outside::Outside(Core& core, Admission& admission, const BindingTable& bindings, call::Calls& calls)
    : core_(core), admission_(admission), bindings_(bindings), calls_(calls), sender_(core) {}

Outside::~Outside() { stop(); }

void Outside::start() {
  auto& bus = core_.engine.bus();
  handlers_.push_back(bus.install({.message = messages::kMsgExecute, .priority = 90, .track = "sip"}, [this](jackfield::Message& message) { return execute(message); }));
  handlers_.push_back(bus.install({.message = messages::kXsipGenerate, .priority = 100, .track = "sip"}, [this](jackfield::Message& message) { return generate(message); }));
}

void Outside::stop() {
  handlers_.clear();
  sender_.stop();
  deliveries_.clear();
}

// What came.

bool Outside::serves(const Message& request) const {
  if (request.method() == Method::message && core_.settings->messages) return true;
  return core_.engine.bus().has_handlers(method_message(request));
}

void Outside::request(const stack::IncomingRequest& request) {
  admission_.admit(request, Admission::Purpose::other,
                   [this, alive = std::weak_ptr<void>(alive_)](const sip::Sender& sender, const stack::IncomingRequest& from, stack::ServerTransactionId transaction) {
                     if (alive.expired()) return;
                     // A handler for the method itself goes before the routing of text messages.
                     const auto name = method_message(from.message);
                     const bool text = from.message.method() == Method::message && !core_.engine.bus().has_handlers(name);
                     auto message = describe(core_, text ? std::string_view(messages::kCallRoute.name) : std::string_view(name), from.message, from.flow, sender);
                     if (text) message.set(param::kRouteType, "msg");
                     admitted(from, transaction, std::move(message));
                   });
}

void Outside::admitted(const stack::IncomingRequest& request, stack::ServerTransactionId transaction, jackfield::Message message) {
  if (!transaction) transaction = core_.transactions.begin(request);
  const auto asked = std::make_shared<jackfield::Message>(std::move(message));
  Verdict verdict = core_.engine.bus().dispatch(*asked);
  if (verdict.immediate()) return decided(transaction, *asked, verdict.handled());
  core_.engine.spawn("sip.outside", ask(this, alive_, transaction, asked, std::move(verdict)));
}

Task<> Outside::ask(Outside* self, std::weak_ptr<void> alive, stack::ServerTransactionId transaction, std::shared_ptr<jackfield::Message> message, Verdict verdict) {
  const bool handled = co_await settle(std::move(verdict));
  if (!alive.expired()) self->decided(transaction, *message, handled);
}

void Outside::decided(stack::ServerTransactionId transaction, jackfield::Message& message, bool handled) {
  if (message.get(param::kRouteType) != "msg") return answer_method(transaction, message, handled);
  const auto where = message.retvalue();
  if (!handled || where.empty() || where == "-" || where == "error") return respond(transaction, code_in(message, 404));
  if (message.number(param::kAntiloop, 1) <= 0) return respond(transaction, 483);
  deliver(transaction, message);
}

void Outside::answer_method(stack::ServerTransactionId transaction, const jackfield::Message& message, bool handled) {
  int code = 0;
  if (handled) {
    const auto text = message.retvalue();
    code = code_in(message, 200);
    if (text.size() == 3 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }) && text >= "200" && text <= "699") code = std::stoi(std::string(text));
  } else {
    code = code_in(message, 405);
    if (code < 300) code = 405;
  }
  respond(transaction, code, {}, call::own_headers(message));
}

void Outside::respond(stack::ServerTransactionId transaction, int code, std::string_view phrase, const call::OwnHeaders& headers) {
  const Message* request = core_.transactions.request_of(transaction);
  if (!request) return;
  answer(core_, {*request, core_.transactions.flow_of(transaction)}, transaction, code, phrase, [&](Writer& writer) { call::write(writer, headers); });
}

// Text messages.

void Outside::deliver(stack::ServerTransactionId transaction, const jackfield::Message& routed) {
  const auto targets = targets_of(routed);
  if (targets.empty()) return respond(transaction, 404);
  const auto number = ++last_delivery_;
  deliveries_[number] = {transaction, targets.size(), 0};
  for (const auto& target : targets) {
    jackfield::Message execute(messages::kMsgExecute, core_.engine.clock().wall());
    for (const auto& [name, value] : routed.parameters())
      if (name != param::kHandlers.name && name != param::kError.name && name != param::kReason.name && !name.starts_with("callto")) execute.set(name, value);
    execute.set(param::kCallto, target);
    core_.engine.bus().enqueue(std::move(execute), [this, alive = std::weak_ptr<void>(alive_), number](jackfield::Message& told, bool handled) {
      if (!alive.expired()) delivered(number, code_in(told, handled ? 200 : 404));
    });
  }
}

void Outside::delivered(std::uint64_t number, int code) {
  const auto found = deliveries_.find(number);
  if (found == deliveries_.end()) return;
  auto& delivery = found->second;
  if (code == 408) code = 480;  // a phone that does not answer is not there (D15)
  if (delivery.code == 0 || code < delivery.code) delivery.code = code;
  if (--delivery.waiting > 0 && code / 100 != 2) return;
  respond(delivery.transaction, delivery.code);
  deliveries_.erase(found);
}

Verdict Outside::execute(jackfield::Message& message) {
  const auto callto = call::our_target(message.get(param::kCallto));
  if (!callto) return false;
  const auto refuse = [&](const call::NoTarget& why) {
    message.set(param::kError, why.error).set(param::kReason, why.reason);
    return false;
  };
  auto target = call::find_target(core_, bindings_, *callto, message);
  if (!target) return refuse(target.error());
  call::name_number(*target, message.get(param::kUser));
  const auto hops = message.number(param::kAntiloop, core_.settings->max_forwards);
  OwnRequest request{.method = "MESSAGE",
                     .target = std::move(*target),
                     .caller = std::string(message.get(param::kCaller)),
                     .callername = std::string(message.get(param::kCallername)),
                     .called = std::string(message.get(param::kCalled)),
                     .domain = std::string(message.get(param::kDomain)),
                     .body = std::string(message.get(param::kXsipBody, message.get(param::kText))),
                     .type = std::string(message.get(param::kXsipType, kPlainText))};
  request.max_forwards = static_cast<unsigned>(std::clamp<long long>(hops, 0, 255));
  if (request.type.empty()) request.type = kPlainText;
  Attempt attempt{.request = std::move(request)};
  use_line(attempt);
  switch (call::aim(core_, attempt.request.target)) {
    case call::Aim::nowhere: return refuse(call::nowhere(attempt.request.target));
    case call::Aim::unknown: return deliver_later(this, alive_, std::make_unique<Attempt>(std::move(attempt)), &message);
    case call::Aim::ready: break;
  }
  auto answer = send_text(attempt, message);
  if (!answer) return refuse({"noanswer", "It could not be sent"});
  return deliver_one(this, alive_, std::move(attempt), std::move(*answer), &message);
}

void Outside::use_line(Attempt& attempt) {
  auto& request = attempt.request;
  const auto& line = request.target.line;
  if (!line) return;
  request.caller = line->from_user(request.caller);
  if (!line->exit.display.empty()) request.callername = line->exit.display;
  if (!line->upstream || request.domain.empty()) request.domain = request.target.line_host();
  attempt.credentials = line->exit.credentials;
  request.silence = line->exit.total_timeout;
}

std::optional<Pending<Answer>> Outside::send_text(Attempt& attempt, const jackfield::Message& message) {
  auto& request = attempt.request;
  const auto& target = request.target;
  const bool believed = target.line ? call::is_believed(core_, target.line->name) : call::is_believed(core_, target.flow);
  auto identity = call::identity_headers(message, message.flag(param::kTrustIdentity, believed),
                                         request.domain.empty() ? core_.transport.reach(target.flow).host : request.domain);
  request.headers = std::move(identity.headers);
  if (identity.anonymous) request.caller = "anonymous", request.callername = "Anonymous", request.domain = "anonymous.invalid";
  attempt.until = core_.engine.clock().now() + kDelivery;
  return send(attempt);
}

Task<bool> Outside::deliver_later(Outside* self, std::weak_ptr<void> alive, std::unique_ptr<Attempt> attempt, jackfield::Message* message) {
  auto lookup = call::aim_at_last(&self->core_, alive, &attempt->request.target);
  const auto found = co_await std::move(lookup);
  if (alive.expired()) co_return false;
  std::optional<Pending<Answer>> answer;
  if (found == call::Aim::ready) answer = self->send_text(*attempt, *message);
  if (!answer) {
    const auto why = found == call::Aim::ready ? call::NoTarget{"noanswer", "It could not be sent"} : call::nowhere(attempt->request.target);
    message->set(param::kError, why.error).set(param::kReason, why.reason);
    co_return false;
  }
  auto delivery = deliver_one(self, std::move(alive), std::move(*attempt), std::move(*answer), message);
  const bool delivered = co_await std::move(delivery);
  co_return delivered;
}

Task<bool> Outside::deliver_one(Outside* self, std::weak_ptr<void> alive, Attempt attempt, Pending<Answer> pending, jackfield::Message* message) {
  auto following = follow(self, std::move(alive), std::move(attempt), std::move(pending));
  const auto answer = co_await std::move(following);
  const int code = answer ? answer->code : 408;
  message->set(param::kCode, static_cast<long long>(code));
  if (code / 100 == 2) co_return true;
  message->set(param::kError, call::text_of(code));
  if (answer && !answer->phrase.empty()) message->set(param::kReason, answer->phrase);
  co_return false;
}

}  // namespace jackfield::sip::outside
