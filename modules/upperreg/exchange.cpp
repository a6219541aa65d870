#include "exchange.h"

#include <jackfield/messages/upstream.h>

#include <algorithm>

namespace jackfield::upperreg {
namespace param = messages::param;
namespace {

constexpr std::string_view kMinExpires = "sip_min-expires", kRetryAfter = "sip_retry-after";
/// What goes on to the phone of A's answer, byte for byte: as it is called on the bus, and as phones expect it to be spelt.
constexpr struct {
  std::string_view name, spelling;
} kPassed[] = {{"sip_www-authenticate", "WWW-Authenticate"}, {"sip_proxy-authenticate", "Proxy-Authenticate"}, {kRetryAfter, "Retry-After"}, {kMinExpires, "Min-Expires"}, {"sip_warning", "Warning"}};
constexpr int kIntervalTooBrief = 423;
constexpr std::chrono::seconds kLongestMinimum{86400};
constexpr std::size_t kSha256Digits = 64;

Message question_for(Core& core, Aor& aor, const Question& question) {
  Message out(messages::kUpstreamRegister.name, core.now());
  out.add(param::kLine, aor.id.line).add(param::kUsername, aor.id.user).add(param::kDomain, aor.id.domain);
  const auto& uri = question.request_uri.empty() ? aor.id.request_uri : question.request_uri;
  out.add(param::kSipUri, uri.empty() ? "sip:" + aor.id.domain : uri);
  out.add(param::kSipCallid, aor.id.call_id).add(param::kFromTag, aor.id.from_tag).add(param::kSipCseq, static_cast<long long>(core.aors->next_cseq(aor)));
  if (question.with_contact) {
    const auto expires = question.expires.count() == 0 ? question.expires : std::max(question.expires, aor.min_expires);
    out.add(param::kContactUser, aor.id.token).add(param::kExpires, static_cast<long long>(expires.count()));
  }
  if (!question.antiloop.empty()) out.add(param::kAntiloop, question.antiloop);
  if (!question.authorization.empty()) out.add(param::kAuthorization, question.authorization);
  if (!question.proxy_authorization.empty()) out.add(param::kProxyAuthorization, question.proxy_authorization);
  if (question.kind == Kind::stored) {
    const auto& with = aor.credentials;
    out.add(param::kAuthname, with.authname);
    if (!with.password.empty()) out.add(param::kPassword, with.password);
    if (!with.ha1.empty()) out.add(with.ha1.size() == kSha256Digits ? param::kHa1Sha256 : param::kHa1Md5, with.ha1).add(param::kHa1Realm, with.realm);
  }
  return out;
}

Answer read(const Message& message, bool handled) {
  Answer out{.code = handled ? static_cast<int>(message.number(param::kCode)) : 0, .reason = std::string(message.get(param::kReason)), .error = std::string(message.get(param::kError)),
             .granted = std::chrono::seconds(std::max(0ll, message.number(param::kExpires))), .contacts = {}, .headers = {}, .server = std::string(message.get(param::kAddress)), .asked = {}};
  for (const auto& [name, value] : message.parameters()) {
    if (name == param::kSipContact.name) out.contacts.emplace_back(value);
    else if (const auto* passed = std::ranges::find_if(kPassed, [&](const auto& one) { return one.name == name; }); passed != std::end(kPassed))
      out.headers.emplace_back(passed->spelling, value);
  }
  return out;
}

}  // namespace

Task<std::optional<Answer>> ask_server(std::shared_ptr<Core> core, std::string name, Question question) {
  for (int round = 0;; ++round) {
    auto* aor = core->aors->find(name);
    if (!aor) co_return std::nullopt;
    auto message = question_for(*core, *aor, question);
    const auto asked = core->now();
    core->sent.add();
    auto verdict = core->engine.bus().dispatch(message);
    const bool handled = co_await settle(std::move(verdict));
    if (core->stopped) co_return std::nullopt;
    aor = core->aors->find(name);
    if (!aor) co_return std::nullopt;
    auto answer = read(message, handled);
    answer.asked = asked;
    aor->cseq = std::max(aor->cseq, static_cast<std::uint32_t>(std::clamp(message.number(param::kSipCseq), 0ll, 0x7fffffffll)));  // challenges that were answered
    if (answer.code == 0) {
      core->unanswered.add();
      core->log.debug("event=unanswered aor={} line={} reason={}", log_value(name), log_value(aor->id.line), log_value(answer.error));
    }
    if (answer.code == kIntervalTooBrief && round == 0 && question.expires.count() != 0) {  // RFC 3261 §10.2.8
      const std::chrono::seconds least(std::max(0ll, message.number(kMinExpires)));
      if (least > std::max(question.expires, aor->min_expires) && least <= kLongestMinimum) {
        aor->min_expires = least;
        continue;
      }
    }
    if (!answer.agreed() && !answer.challenges() && answer.code != 0) core->refused.add();
    co_return answer;
  }
}

}  // namespace jackfield::upperreg
