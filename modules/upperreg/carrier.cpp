#include "carrier.h"

#include "sip/headers.h"
#include "sip/uri.h"
#include "wish.h"

#include <jackfield/messages/upstream.h>
#include <jackfield/messages/user.h>

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::upperreg {
namespace param = messages::param;
namespace {

constexpr std::size_t kLongestProof = 2048;
constexpr int kOk = 200, kBadRequest = 400, kForbidden = 403, kServerError = 500, kUnavailable = 503, kGatewayTimeout = 504;
constexpr std::string_view kReplyPrefix = "osip_", kRetryAfter = "osip_Retry-After", kNotAvailable = "The server there is not available";
constexpr std::chrono::seconds kPromise{10};  // within that the registrar has told the stores what was agreed
constexpr std::size_t kMostToldOfUri = 10000;
constexpr std::chrono::seconds kForever{INT32_MAX};

/// failed: a database that is away, say, which is no proof that he is nobody.
enum class Known : std::uint8_t { yes, no, failed };

/// Who he is, asked of whoever has users: of scripts and databases, too, so it is no rehearsal; a failure is counted only by who compares
/// a response, and none is shown here.
Task<Known> look_up(std::shared_ptr<Core> core, Message& question, std::string_view username, std::string_view domain) {
  question.add(param::kProtocol, "sip").add(param::kUsername, username).add(param::kDomain, domain).add(param::kMethod, "REGISTER").add(param::kNewcall, "false");
  auto verdict = core->engine.bus().dispatch(question);
  const bool handled = co_await settle(std::move(verdict));
  constexpr int kLeastFailure = 500;
  const auto error = question.get(param::kError);
  const bool refuses = question.retvalue() == "-";
  // A user without a password is refused, and known as that.
  const bool failed = question.number(param::kCode) >= kLeastFailure || ((refuses || !handled) && !error.empty() && error != "forbidden" && error != "noauth");
  if (failed) core->log.warning("event=user-not-asked user={} error={} reason=\"what is kept of this user cannot be read now\"", log_value(username), log_value(error));
  co_return failed ? Known::failed : handled ? Known::yes : Known::no;
}

Message new_question(const Core& core) { return Message(messages::kUserAuth.name, core.now()); }

/// With where the phone is, which rules and scripts go by.
Message new_question(const Core& core, const Message& from) {
  auto out = new_question(core);
  for (const auto* name : {&param::kIpHost, &param::kIpPort, &param::kIpTransport, &param::kAddress, &param::kConnectionId, &param::kConnectionReliable, &param::kListener,
                           &param::kDevice, &param::kNumber, &param::kSipUri, &param::kSipFrom, &param::kSipTo, &param::kSipCallid})
    if (const auto value = from.get(*name); !value.empty()) out.add(*name, value);
  return out;
}

bool refuse(Message& message, int code, std::string_view reason) {
  message.set(param::kCode, static_cast<long long>(code));
  if (!reason.empty()) message.set(param::kReason, reason);
  return true;
}

bool refuse_for_now(const Core& core, Message& message, int code, std::string_view reason) {
  const auto seconds = std::max<long long>(1, std::chrono::ceil<std::chrono::seconds>(core.settings.retry_interval).count());
  message.set(kRetryAfter, seconds);
  return refuse(message, code, reason);
}

bool agree(Message& message, const Aor& aor, std::chrono::seconds most) {
  message.set(param::kCode, static_cast<long long>(kOk)).set(param::kUsername, aor.id.name);
  // Never longer than he asked for.
  if (most.count() < message.number(param::kExpires, INT32_MAX)) message.set(param::kExpires, static_cast<long long>(std::max<long long>(most.count(), 1)));
  return true;
}

/// What the registrar is about to tell the stores.
void promise(Core& core, Aor& aor, const Wish& wish, std::chrono::seconds most) {
  const auto until = core.now() + kPromise;
  const auto kept = core.phones(aor);
  std::erase_if(aor.promises, [&](const auto& one) { return one.second.until <= core.now(); });
  if (wish.all_leave)
    for (const auto& [key, left] : kept) aor.promises[key] = {false, until, {}};
  for (const auto& [key, expires] : wish.bindings) aor.promises[key] = {expires.count() != 0, until, core.now() + std::min(expires, most)};
}

/// D19: an A that compares the digest's uri with the Request-URI refuses what a phone computed for B. Once per phone.
void explain_uri(Core& core, const Aor& aor, const Message& message, const Answer& answer) {
  if (aor.id.mode != Mode::upper || answer.code < 400 || answer.code >= 500) return;
  const auto given = message.get(message.has(param::kAuthorization) ? param::kAuthorization : param::kProxyAuthorization);
  const auto proof = sip::parse_auth(given);
  if (given.empty() || !proof) return;
  const auto uri = sip::Uri::parse(proof->uri);
  if (!uri || lower_host(uri->host) == aor.id.domain) return;
  for (const auto& [name, value] : answer.headers) {
    const auto challenge = name.ends_with("-Authenticate") ? sip::parse_auth(value) : tl::expected<sip::AuthHeader, sip::Error>(sip::AuthHeader{});
    if (challenge && lower_host(challenge->stale) == "true") return;  // it is the nonce's age that A minds
  }
  if (core.told_of_uri.size() >= kMostToldOfUri || !core.told_of_uri.insert(fmt::format("{} {}", aor.id.name, message.get(param::kIpHost))).second) return;
  core.log.warning(
      "event=uri-names-us aor={} address={} code={} uri={} wanted=sip:{} reason=\"the server there may refuse this phone because its credentials name us instead of that server "
      "(or the password is wrong): give the phone the domain {} with this server as its outbound proxy, or keep its credentials here (upper_username, upper_password)\"",
      log_value(aor.id.name), log_value(message.get(param::kAddress)), answer.code, log_value(proof->uri), aor.id.domain, aor.id.domain);
}

/// A final refusal. With kept credentials it is about the user; else only who came from where a binding came from can lose that.
void end_refused(Core& core, Aor& aor, Kind kind, const Message& message, const Answer& answer) {
  const auto reason = fmt::format("the server there refused it with {}", answer.code);
  core.log.warning("event=refused aor={} line={} code={} reason={}", log_value(aor.id.name), log_value(aor.id.line), answer.code, log_value(answer.reason));
  if (kind == Kind::stored) return core.apply(aor, AorEvent::refused, reason);
  if (aor.kind == Kind::stored) return;  // who has not proved to us who he is ends nothing of his
  std::vector<bindings::Binding*> kept;
  core.store->bindings().of_user(aor.id.name, kept);
  std::size_t ended = 0;
  for (const auto* binding : kept) {
    if (!same_flow(binding->packed(), message)) continue;
    core.end_bindings(aor.id.name, binding->packed().key(), reason);
    ++ended;
  }
  if (ended != 0) core.log.warning("event=bindings_ended aor={} count={} reason={}", log_value(aor.id.name), ended, log_value(reason));
  if (ended == kept.size() && aor.at_a() && ended != 0) core.apply(aor, AorEvent::refused, reason);
}

/// What the phone calls the server there, where it is that one (D19).
std::string request_uri_of(const Message& message, std::string_view domain) {
  const auto uri = sip::Uri::parse(message.get(param::kSipUri));
  return uri && lower_host(uri->host) == domain ? std::string(message.get(param::kSipUri)) : std::string();
}

/// Made-up credentials are as good as none to an A that reads none: whether it does is asked first, once in a run.
Question bare(const Question& question) {
  return {.kind = Kind::relayed, .expires = {}, .with_contact = false, .authorization = {}, .proxy_authorization = {}, .request_uri = question.request_uri, .antiloop = question.antiloop};
}

/// A that asks for nothing vouches for nobody: it may know us by our address, and everybody comes from there.
bool refuse_unchallenged(Core& core, Lines& lines, const Aor& aor, Message& message) {
  if (const auto line = lines.all().find(aor.id.line); line != lines.all().end() && !std::exchange(line->second.told_of_trust, true))
    core.log.error("event=unchallenged line={} aor={} hint=\"the server there registers without asking for credentials, so whoever reaches us could register as anybody: have it ask, or say "
                   "unchallenged=yes in upperreg.conf\"", log_value(aor.id.line), log_value(aor.id.name));
  return refuse(message, kForbidden, "The server there asks for no credentials");
}

/// The verdict on the phone's REGISTER, which went with credentials of this kind.
bool judge(Core& core, Aor& aor, Kind kind, Message& message, const Wish& wish, bool leaves, const Answer& answer) {
  const auto& settings = core.settings;
  if (answer.agreed()) {
    if (wish.only_asks()) return agree(message, aor, kForever);
    // Whose credentials A accepted are they that keep it there; before that nobody changes what is kept.
    if (kind == Kind::relayed) aor.credentials = {};
    aor.kind = kind;
    if (leaves) {
      core.apply(aor, AorEvent::ended, "the last phone left");
      promise(core, aor, wish, {});
      return agree(message, aor, kForever);
    }
    if (answer.granted.count() == 0) {
      core.log.warning("event=not-listed aor={} line={} reason=\"the server there agreed, but does not list our contact\"", log_value(aor.id.name), log_value(aor.id.line));
      core.apply(aor, AorEvent::silent, {});
      return refuse(message, kServerError, "The server there did not keep the contact");
    }
    aor.server = answer.server;
    core.apply(aor, AorEvent::granted, {}, answer.granted);
    const auto most = aor.kind == Kind::relayed ? std::min(answer.granted, settings.relay_expires) : answer.granted;
    promise(core, aor, wish, most);
    return agree(message, aor, most);
  }
  if (answer.silent()) {
    core.apply(aor, AorEvent::silent, {});
    const int code = answer.unheard() ? kGatewayTimeout : kServerError;  // D15: 503 would be ours
    for (const auto& [name, value] : answer.headers)
      if (kRetryAfter.ends_with(name)) {
        message.set(kRetryAfter, value);
        return refuse(message, code, kNotAvailable);
      }
    return refuse_for_now(core, message, code, kNotAvailable);
  }
  explain_uri(core, aor, message, answer);
  if (kind == Kind::stored && answer.challenges()) {
    core.log.error("event=credentials-refused aor={} line={} code={} reason=\"the server there does not accept the credentials that are kept for this user\"", log_value(aor.id.name),
                   log_value(aor.id.line), answer.code);
    core.apply(aor, AorEvent::refused, "the server there does not accept the credentials that are kept");
    return refuse(message, kForbidden, "The server there does not accept the credentials");
  }
  if (!answer.challenges()) end_refused(core, aor, kind, message, answer);
  for (const auto& [name, value] : answer.headers) message.add(fmt::format("{}{}", kReplyPrefix, name), value);  // several challenges are several
  return refuse(message, answer.code, answer.reason);
}

}  // namespace

Verdict Carrier::user_upstream(Message& message) {
  if (message.flag(param::kDryRun)) return false;
  auto where = destination(core_->settings, message);
  if (where.what == Destination::What::here) return false;
  if (where.what == Destination::What::foreign) {
    core_->log.info("event=foreign-domain domain={} address={}", log_value(where.domain), log_value(message.get(param::kAddress)));
    return refuse(message, kForbidden, "This domain is not served");
  }
  return carry(core_, this, message, std::move(where));
}

Task<bool> Carrier::carry(std::shared_ptr<Core> core, Carrier* self, Message& message, Destination where) {
  const auto mode = where.what == Destination::What::upper ? Mode::upper : Mode::thru;
  const std::string phone_user(message.get(param::kUsername));
  const auto name = mode == Mode::upper ? phone_user : fmt::format("{}@{}", phone_user, where.domain);
  auto decided = co_await decision_on(core, message, where, name);
  if (core->stopped) co_return false;
  if (!decided) co_return refuse_for_now(*core, message, kServerError, "Users cannot be looked up now");
  auto decision = std::move(*decided);
  if (decision.what == Decision::What::here) co_return false;
  if (decision.what == Decision::What::refuse) co_return refuse(message, kForbidden, "You may not register there");
  // A server may drop what is longer than it reads, and would seem to be away.
  if (decision.kind == Kind::relayed && std::max(message.get(param::kAuthorization).size(), message.get(param::kProxyAuthorization).size()) > kLongestProof)
    co_return refuse(message, kBadRequest, "Credentials Are Too Long");

  const auto& settings = core->settings;
  const auto& domain = mode == Mode::upper ? settings.domain : where.domain;
  const auto* aor = core->aors->get({.token = {}, .call_id = {}, .from_tag = {}, .name = name, .user = decision.user.empty() ? phone_user : decision.user, .domain = domain,
                                     .request_uri = {}, .line = line_of(mode, domain), .mode = mode},
                                    settings.max_aors);
  if (!aor) {
    core->log.error("event=too-many-aors limit={} reason=\"max_aors in upperreg.conf\"", settings.max_aors);
    co_return refuse_for_now(*core, message, kUnavailable, "Too many registrations");
  }
  const auto line = aor->id.line;
  const bool ready = co_await Lines::ready(core, &self->lines_, line);
  if (core->stopped) co_return false;
  if (!ready) {
    if (self->lines_.full()) co_return refuse_for_now(*core, message, kUnavailable, "Too many domains");
    co_return refuse_for_now(*core, message, kServerError, kNotAvailable);
  }
  // Who waits for his turn waits for A, too. With kept credentials most need not.
  auto place = decision.kind == Kind::relayed ? self->lines_.place(line) : nullptr;
  if (decision.kind == Kind::relayed && !place) co_return refuse_for_now(*core, message, kGatewayTimeout, kNotAvailable);
  if (!co_await enter(core, name)) {
    if (!core->stopped) refuse_for_now(*core, message, kUnavailable, "Too many registrations at once");
    co_return !core->stopped;
  }
  const bool before = core->aors->find(name)->at_a();
  co_await ask_and_judge(core, self, message, name, std::move(decision));
  if (core->stopped) co_return false;
  leave(*core, name);
  place.reset();
  if (self->lines_.forget_made_up(line))
    if (const auto* gone = core->aors->find(name); gone && !gone->at_a() && !gone->busy) core->aors->forget(name);
  const auto* after = core->aors->find(name);
  // What A was told of has its token for good: it is on disk before the phone hears of it.
  if (!before && after && after->at_a()) co_await wait_until_saved(core, message, name);
  co_return !core->stopped;
}

Task<std::optional<Decision>> Carrier::decision_on(std::shared_ptr<Core> core, Message& message, Destination where, std::string name) {
  if (message.flag(param::kAuthenticated)) co_return decide(core->settings, where, message, &message);
  auto said = new_question(*core, message);
  auto known = co_await look_up(core, said, name, where.domain);
  const std::string user(message.get(param::kUsername));
  if (!core->stopped && known == Known::no && name != user) {  // a user of ours who has an account there
    said = new_question(*core, message);
    known = co_await look_up(core, said, user, where.domain);
  }
  if (core->stopped || known == Known::failed) co_return std::nullopt;
  // Of whom we keep credentials somebody told us: that nobody knows him now is a failure, until A's grant is over.
  const auto* aor = core->aors->find(name);
  if (known == Known::no && aor && aor->kind == Kind::stored && aor->at_a()) co_return std::nullopt;
  co_return decide(core->settings, where, message, known == Known::yes ? &said : nullptr);
}

Task<> Carrier::ask_and_judge(std::shared_ptr<Core> core, Carrier* self, Message& message, std::string name, Decision decision) {
  auto* aor = core->aors->find(name);
  const auto& settings = core->settings;
  const auto wish = Wish::of(message);
  const bool stored = decision.kind == Kind::stored;
  if (stored || !aor->at_a()) {  // A phone's own are for A to judge first.
    aor->kind = decision.kind;
    aor->credentials = std::move(decision.credentials);
  }
  const auto left = wish.left(core->phones(*aor), stored ? kForever : settings.relay_expires);
  const bool leaves = !wish.only_asks() && left.empty();
  if (stored) {
    // He has proved to us who he is; A is told what it has to know (P-9).
    const bool nothing_new = wish.only_asks() || (leaves && !aor->at_a()) || (!leaves && (wish.only_leaves() || aor->fresh(core->now())));
    if (nothing_new) {
      core->absorbed.add();
      const auto most = !wish.only_asks() && !wish.only_leaves() ? aor->remaining(core->now()) : kForever;
      promise(*core, *aor, wish, most);
      agree(message, *aor, most);
      co_return;
    }
    if (leaves) core->apply(*aor, AorEvent::emptied, "the last phone left");
  }
  const bool proof = message.has(param::kAuthorization) || message.has(param::kProxyAuthorization);
  const bool wants_challenge = !stored && !settings.of(aor->id.mode).unchallenged;
  // What comes without a proof only fetches the challenge; nothing is registered by it.
  Question question{.kind = decision.kind, .expires = leaves ? std::chrono::seconds(0) : stored ? settings.of(aor->id.mode).interval : longest(left), .with_contact = !wish.only_asks() && (proof || !wants_challenge),
                    .authorization = stored ? std::string() : std::string(message.get(param::kAuthorization)),
                    .proxy_authorization = stored ? std::string() : std::string(message.get(param::kProxyAuthorization)), .request_uri = {}};
  if (aor->id.mode == Mode::thru) question.request_uri = request_uri_of(message, aor->id.domain);
  question.antiloop = message.get(param::kAntiloop);  // a domain that leads back to us ends some time
  const auto request_uri = question.request_uri;
  const auto line = aor->id.line;
  const auto place = stored ? self->lines_.place(line) : nullptr;
  if (stored && !place) {
    if (!leaves) {
      refuse_for_now(*core, message, kGatewayTimeout, kNotAvailable);
      co_return;
    }
    promise(*core, *aor, wish, {});  // A is told as soon as it is heard
    agree(message, *aor, kForever);
    co_return;
  }
  const bool in_doubt = wants_challenge && proof && !self->lines_.challenges(line);
  auto first = in_doubt ? bare(question) : std::move(question);
  auto answer = co_await ask_server(core, name, std::move(first));
  if (core->stopped) co_return;
  if (in_doubt && answer && answer->challenges()) {
    self->lines_.challenged(line);
    answer = co_await ask_server(core, name, std::move(question));
    if (core->stopped) co_return;
  }
  aor = core->aors->find(name);
  if (!answer || !aor) {
    refuse_for_now(*core, message, kServerError, kNotAvailable);
    co_return;
  }
  if (wants_challenge && !proof && answer->challenges()) self->lines_.challenged(line);
  if (wants_challenge && answer->agreed() && (!proof || !self->lines_.challenges(line))) {
    refuse_unchallenged(*core, self->lines_, *aor, message);
    self->heard_(line, *answer);
    co_return;
  }
  if (answer->agreed() && !request_uri.empty()) aor->id.request_uri = request_uri;  // A's own word for itself, for our refreshes
  if (stored && leaves && answer->silent()) {
    // We go on telling A; for the phone it is done.
    core->apply(*aor, AorEvent::silent, {});
    promise(*core, *aor, wish, {});
    agree(message, *aor, kForever);
  } else {
    judge(*core, *aor, decision.kind, message, wish, leaves, *answer);
  }
  self->heard_(line, *answer);
}

Task<> Carrier::wait_until_saved(std::shared_ptr<Core> core, Message& message, std::string name) {
  const auto durable = core->aors->durable();
  if (!durable) co_return;
  const auto error = co_await durable->wait();
  if (core->stopped || error.empty()) co_return;
  core->log.error("event=not-saved aor={} reason={}", log_value(name), log_value(error));
  refuse_for_now(*core, message, kServerError, "Registration Not Saved");
}

Task<Carrier::Kept> Carrier::recall_credentials(std::shared_ptr<Core> core, std::string name) {
  const auto* aor = core->aors->find(name);
  if (!aor) co_return Kept::unknown;
  const auto mode = aor->id.mode;
  const auto domain = aor->id.domain;
  // Thru's user is one of ours who has an account there.
  const auto username = mode == Mode::upper ? name : name.substr(0, name.rfind('@'));
  auto said = new_question(*core);
  const auto known = co_await look_up(core, said, username, domain);
  auto* now = core->stopped ? nullptr : core->aors->find(name);
  if (!now || known != Known::yes) co_return Kept::unknown;
  auto credentials = stored_credentials(mode, domain, said, username);
  now->credentials = credentials ? std::move(*credentials) : StoredCredentials{};
  co_return credentials ? Kept::here : Kept::nowhere;
}

}  // namespace jackfield::upperreg
