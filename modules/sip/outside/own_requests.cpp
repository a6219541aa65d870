// Outside's part in what we send: xsip.generate of scripts, and what becomes of any request whose first answer is not the last word.
#include <jackfield/messages/sip.h>

#include <algorithm>
#include <utility>

#include "call/calls.h"
#include "call/reasons.h"
#include "line/connections.h"
#include "outside/outside.h"
#include "sip/text.h"

namespace jackfield::sip::outside {

namespace {

namespace param = messages::param;

constexpr std::string_view kPlainText = "text/plain";
constexpr std::string_view kDriver = "sip/";
constexpr unsigned kMostProofs = 3;  // a nonce may be stale by the time it is used; a server that always says so is not asked forever

/// The best of those that a 401 or 407 offers; nothing: none that we can answer.
std::optional<AuthHeader> best_challenge(const Answer& answer, const stack::Credentials& credentials) {
  const std::string_view name = answer.code == 401 ? "WWW-Authenticate" : "Proxy-Authenticate";
  std::optional<AuthHeader> best;
  for (const auto& [header, value] : answer.headers) {
    if (!text::equal(header, name)) continue;
    const auto challenge = parse_auth(value);
    const auto algorithm = challenge ? stack::usable_challenge(*challenge, credentials) : std::nullopt;
    if (algorithm && (!best || *algorithm == digest::Algorithm::sha256)) best = *challenge;
  }
  return best;
}

}  // namespace

Verdict Outside::generate(jackfield::Message& message) {
  const auto refuse = [&](std::string_view error, std::string_view reason) {
    message.set(param::kError, error).set(param::kReason, reason);
    return false;
  };
  if (!core_.settings->generate) return refuse("failure", "generate=yes in [general] of sip.conf lets scripts send requests");
  const auto method = message.get(param::kMethod);
  const Method known = method_from(method);
  const bool word = !method.empty() && method.size() <= 32 && std::ranges::all_of(method, [](char c) { return text::is(c, text::kToken); });
  // A call is begun and ended with call.* messages: a dialog needs somebody who keeps it.
  if (!word || known == Method::invite || known == Method::ack || known == Method::cancel || known == Method::bye || known == Method::prack)
    return refuse("failure", "method names no request that can be sent this way");
  const auto user = message.get(param::kUser, message.get(param::kCaller));
  Attempt attempt{.request = {.method = std::string(method),
                              .caller = std::string(user),
                              .domain = std::string(message.get(param::kDomain)),
                              .body = std::string(message.get(param::kXsipBody)),
                              .type = std::string(message.get(param::kXsipType, kPlainText)),
                              .headers = call::own_headers(message, "sip_")},
                  .leg = std::string(message.get(param::kId)),
                  .credentials = {.username = std::string(message.get(param::kAuthname, user)), .password = std::string(message.get(param::kPassword))}};
  message.erase(param::kPassword);  // whoever sees the message after us needs none
  if (attempt.leg.empty()) {
    auto uri = message.get(param::kUri);
    if (uri.starts_with(kDriver)) uri.remove_prefix(kDriver.size());  // as call.route and user.register write it
    auto target = call::find_target(core_, bindings_, uri, message);
    if (!target) return refuse(target.error().error, target.error().reason);
    attempt.request.target = std::move(*target);
    const auto credentials = std::exchange(attempt.credentials, {});
    use_line(attempt);
    if (!credentials.password.empty()) attempt.credentials = credentials;
    switch (call::aim(core_, attempt.request.target)) {
      case call::Aim::nowhere: {
        const auto why = call::nowhere(attempt.request.target);
        return refuse(why.error, why.reason);
      }
      case call::Aim::unknown: return generate_later(this, alive_, std::make_unique<Attempt>(std::move(attempt)), &message);
      case call::Aim::ready: break;
    }
  } else if (known == Method::other || known == Method::update) {
    // What changes a session is call.update's: the leg must know of each offer.
    return refuse("failure", "a dialog takes no such method");
  }
  auto answer = send(attempt);
  if (!answer) return attempt.leg.empty() ? refuse("noanswer", "it could not be sent") : refuse("nocall", "there is no such answered leg");
  if (message.flag(param::kWait)) return report(this, alive_, std::move(attempt), std::move(*answer), &message);
  core_.engine.spawn(messages::kXsipGenerate.name, unattended(this, alive_, std::move(attempt), std::move(*answer)));
  return true;
}

Task<bool> Outside::generate_later(Outside* self, std::weak_ptr<void> alive, std::unique_ptr<Attempt> attempt, jackfield::Message* message) {
  auto lookup = call::aim_at_last(&self->core_, alive, &attempt->request.target);
  const auto found = co_await std::move(lookup);
  if (alive.expired()) co_return false;
  std::optional<Pending<Answer>> answer;
  if (found == call::Aim::ready) answer = self->send(*attempt);
  if (!answer) {
    const auto why = found == call::Aim::ready ? call::NoTarget{"noanswer", "it could not be sent"} : call::nowhere(attempt->request.target);
    message->set(param::kError, why.error).set(param::kReason, why.reason);
    co_return false;
  }
  if (!message->flag(param::kWait)) {
    auto& engine = self->core_.engine;
    engine.spawn(messages::kXsipGenerate.name, unattended(self, std::move(alive), std::move(*attempt), std::move(*answer)));
    co_return true;
  }
  auto reported = report(self, std::move(alive), std::move(*attempt), std::move(*answer), message);
  const bool handled = co_await std::move(reported);
  co_return handled;
}

std::optional<Pending<Answer>> Outside::send(Attempt& attempt) {
  auto& request = attempt.request;
  if (attempt.leg.empty()) {
    if (!attempt.until) return sender_.send(request);
    const auto left = *attempt.until - core_.engine.clock().now();
    return left.count() > 0 ? sender_.send(request, left) : std::nullopt;
  }
  const auto transaction = calls_.send_within(attempt.leg, method_from(request.method), request.body, request.type,
                                              [&](Writer& writer) { call::write(writer, request.headers); });
  if (!transaction) return std::nullopt;
  return sender_.expect(transaction);
}

std::optional<Pending<Answer>> Outside::again(Attempt& attempt, const Answer& answer) {
  auto& request = attempt.request;
  if (answer.unconnected) {
    if (request.method == "MESSAGE") return std::nullopt;  // RFC 3428 §8: never over UDP at this size
    request.target.any_transport = false;
    return send(attempt);
  }
  if ((answer.code != 401 && answer.code != 407) || !attempt.credentials.can_answer() || attempt.proofs == kMostProofs) return std::nullopt;
  const auto challenge = best_challenge(answer, attempt.credentials);
  if (!challenge || (attempt.proofs > 0 && !text::equal(challenge->stale, "true"))) return std::nullopt;  // it was a wrong password
  ++attempt.proofs;
  const auto uri = attempt.leg.empty() ? request.target.request_uri : calls_.target_of(attempt.leg);
  const auto cnonce = std::to_string(core_.engine.random().next());
  const std::string_view name = answer.code == 401 ? "Authorization" : "Proxy-Authorization";
  std::erase_if(request.headers, [&](const auto& header) { return text::equal(header.first, name); });
  request.headers.emplace_back(name, stack::answer_challenge(*challenge, request.method, uri, attempt.credentials, cnonce));
  return send(attempt);
}

bool Outside::move_on(Attempt& attempt, const Answer& answer) {
  auto& target = attempt.request.target;
  if ((answer.code != 408 && answer.code != 503) || answer.unconnected || !attempt.leg.empty() || !target.itinerary || !target.itinerary->place()) return false;
  if (target.line && core_.connections)
    core_.connections->failed(target.line->name, target.itinerary->place()->server, target.itinerary->hop(), answer.unreachable ? line::Failure::unreachable : line::Failure::refused);
  target.itinerary->advance();
  return target.itinerary->place() != nullptr;
}

std::optional<Pending<Answer>> Outside::send_elsewhere(Attempt& attempt) {
  auto& request = attempt.request;
  if (request.target.line && !request.target.line->upstream && request.domain != "anonymous.invalid") request.domain = request.target.line_host();
  std::erase_if(request.headers, [](const auto& header) { return text::equal(header.first, "Authorization") || text::equal(header.first, "Proxy-Authorization"); });
  request.call_id.clear();
  request.cseq = 0;
  attempt.proofs = 0;
  return send(attempt);
}

Task<std::optional<Answer>> Outside::follow(Outside* self, std::weak_ptr<void> alive, Attempt attempt, Pending<Answer> pending) {
  for (;;) {
    auto answer = co_await pending.wait();
    if (!answer) co_return std::nullopt;
    if (alive.expired()) co_return std::move(*answer);
    std::optional<Pending<Answer>> next;
    if (self->move_on(attempt, *answer)) {
      auto lookup = call::aim_at_last(&self->core_, alive, &attempt.request.target);
      const auto found = co_await std::move(lookup);
      if (alive.expired()) co_return std::move(*answer);
      if (found == call::Aim::ready) next = self->send_elsewhere(attempt);
    } else {
      next = self->again(attempt, *answer);
    }
    if (next) {
      pending = std::move(*next);
      continue;
    }
    if (answer->unconnected) answer->code = 513, answer->phrase = reason_phrase(513);
    co_return std::move(*answer);
  }
}

Task<> Outside::unattended(Outside* self, std::weak_ptr<void> alive, Attempt attempt, Pending<Answer> pending) {
  auto following = follow(self, std::move(alive), std::move(attempt), std::move(pending));
  co_await std::move(following);
}

Task<bool> Outside::report(Outside* self, std::weak_ptr<void> alive, Attempt attempt, Pending<Answer> pending, jackfield::Message* message) {
  auto following = follow(self, std::move(alive), std::move(attempt), std::move(pending));
  const auto answer = co_await std::move(following);
  // Its own headers are done with; what is there afterwards is the answer's.
  std::vector<std::string> sent;
  for (const auto& [name, value] : message->parameters())
    if (name.starts_with("sip_") || name == param::kXsipBody.name || name == param::kXsipType.name) sent.emplace_back(name);
  for (const auto& name : sent) message->erase(name);
  if (!answer) {
    message->set(param::kError, "timeout");
    co_return false;
  }
  message->set(param::kCode, static_cast<long long>(answer->code)).set(param::kReason, answer->phrase);
  for (const auto& [name, value] : answer->headers) {
    std::string parameter = "sip_";
    for (const char c : name) parameter += text::lower(c);
    message->set(parameter, value);
  }
  if (!answer->body.empty()) message->set(param::kXsipBody, answer->body).set(param::kXsipType, answer->type);
  co_return true;
}

}  // namespace jackfield::sip::outside
