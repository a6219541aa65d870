#include "admission/gate.h"

#include <jackfield/message_text.h>
#include <jackfield/messages/user.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <utility>

#include "admission/digest_uri.h"
#include "admission/whose_number.h"
#include "call/reasons.h"
#include "answer.h"
#include "guard/guard.h"
#include "line/connections.h"
#include "sip/text.h"
#include "sip/uri.h"

namespace jackfield::sip::admission {

namespace {

namespace param = messages::param;
using stack::IncomingRequest;

constexpr std::string_view kOnFailure = "authfail_";  // what such a parameter of the answer is called once the credentials proved wrong
constexpr std::size_t kMostDelayed = 10000;  // challenges that wait; further ones leave at once
constexpr std::string_view kCheckTo = "check_to", kCheckFrom = "check_from";

stack::HashKey random_key(Random& random) {
  const std::uint64_t k0 = random.next();
  return {k0, random.next()};
}

/// The same for a retransmission, another for any other request (D1).
std::uint64_t fingerprint(const Message& request) {
  const std::hash<std::string_view> hash;
  const std::uint64_t branch = request.top_via() ? hash(request.top_via()->branch) : 0;
  return branch ^ (hash(request.call_id()) * 31 + request.cseq()->number);
}

/// The digest credentials for our realm, of whichever header has them; an error when one does not parse.
tl::expected<std::optional<AuthHeader>, Error> credentials_for(const Message& request, std::string_view realm) {
  for (const auto& line : request.headers()) {
    if (line.id != HeaderId::authorization && line.id != HeaderId::proxy_authorization) continue;
    auto parsed = parse_auth(line.value);
    if (!parsed) return tl::unexpected(parsed.error());
    if (parsed->realm == realm && text::equal(parsed->scheme, "Digest")) return std::optional(*parsed);
  }
  return std::nullopt;
}

/// The code an answer asks for: `code`, else what `error` stands for.
std::optional<int> asked_code(const jackfield::Message& message) {
  if (const auto code = message.number(param::kCode); code >= 400 && code <= 699) return static_cast<int>(code);
  if (const auto error = message.get(param::kError); !error.empty()) return call::code_of(error).value_or(403);
  return std::nullopt;
}

/// A call that came in by a connection: COMPAT §6 has username and domain set, which make nobody a user of ours.
Sender sender_of(const line::Line& line) {
  const auto& settings = line.settings();
  Sender sender{.kind = Sender::Kind::line, .line = settings.name};
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) sender.parameters.emplace_back(name, value);
  };
  // Of one that registers here it is a user of ours, which an address alone proves nobody to be.
  if (settings.type != line::Type::inbound) add(param::kUsername, settings.username);
  add(param::kDomain, settings.domain);
  if (settings.transfer) add(param::kTransfer, *settings.transfer ? "true" : "false");
  for (const auto& [name, value] : settings.inbound) add(name, value);
  return sender;
}

bool begins_with(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

/// What the answer says beyond `given`, but for what was meant for us. A call's routing has no use for what others keep secret.
void take_parameters(const jackfield::Message& answer, std::size_t given, bool secrets_too, Sender& sender) {
  const auto parameters = answer.parameters();
  for (const auto& [name, value] : parameters.subspan(std::min(given, parameters.size()))) {
    const bool ours = name == param::kHandlers.name || name == param::kUsername.name || begins_with(name, kOnFailure) ||
                      name == param::kHa1Md5.name || name == param::kHa1Sha256.name || name == param::kHa1Realm.name;
    if (!ours && (secrets_too || !is_secret(name))) sender.parameters.emplace_back(name, value);
  }
}

}  // namespace

Gate::Gate(Core& core)
    : core_(core),
      digest_(random_key(core.engine.random())),
      delays_(core.engine.timers().add_sink([this](std::uint64_t id) { challenge_due({id}); })),
      challenged_(core.engine.metrics().counter("jackfield_sip_challenges_total", "Requests answered with a challenge.")),
      refused_(core.engine.metrics().counter("jackfield_sip_refusals_total", "Requests refused before anything was done for them.")),
      wrong_(core.engine.metrics().counter("jackfield_sip_wrong_credentials_total", "Requests with wrong credentials.")) {}

Gate::~Gate() { core_.engine.timers().remove_sink(delays_); }

std::chrono::seconds Gate::now() const {
  return std::chrono::duration_cast<std::chrono::seconds>(core_.engine.clock().now().time_since_epoch());
}

void Gate::admit(const IncomingRequest& request, Purpose purpose, Done done, Transaction begun) {
  // Another server may only call who was registered there; whoever registered him knows. Its address alone may be anybody's whose name a
  // phone wrote.
  const auto* upstream = core_.connections && purpose != Purpose::registration ? core_.connections->upstream_at(request.flow.remote) : nullptr;
  if (!upstream) return admit_known(request, purpose, done, begun);
  auto question = ask(request, purpose, nullptr);
  question->upstream = upstream->name();
  question->message.add(param::kInLine, question->upstream);
  question->given = question->message.parameters().size();
  put(std::move(question), request, begun, nullptr, done);
}

void Gate::admit_known(const IncomingRequest& request, Purpose purpose, const Done& done, Transaction begun) {
  const auto& access = core_.listener(request.flow).access;
  const auto& source = request.flow.remote;
  // D2 (1). A registration is a user's, also of a connection that registers here.
  const auto* line = core_.connections && purpose != Purpose::registration ? core_.connections->entry(request.flow, request.message) : nullptr;
  if (line) return done(sender_of(*line), request, begun);
  if (access.is_denied(source)) return refuse_unproved(request, begun, 403, {}, "source is in deny=");
  // A registration is somebody's: being trusted names nobody.
  if (purpose != Purpose::registration && access.is_trusted(source)) return done({.kind = Sender::Kind::trusted}, request, begun);
  if (purpose == Purpose::registration && !core_.settings->registrar.auth_required)
    return done({.kind = Sender::Kind::user, .username = unescape(request.message.to()->uri.user)}, request, begun);

  const auto credentials = credentials_for(request.message, core_.settings->realm);
  if (!credentials) return refuse_unproved(request, begun, 400, credentials.error().reason, "credentials do not parse");
  const AuthHeader* given = *credentials ? &**credentials : nullptr;
  if (given && !digest_.is_fresh(given->nonce, source, now(), core_.settings->nonce_lifetime))
    return challenge(request, begun, Stale::yes);

  put(ask(request, purpose, given), request, begun, given, done);
}

void Gate::put(std::unique_ptr<Question> question, const IncomingRequest& request, Transaction begun, const AuthHeader* credentials, const Done& done) {
  auto verdict = core_.engine.bus().dispatch(question->message);
  if (verdict.immediate()) return decide(request, begun, *question, verdict.handled(), credentials, done);
  const auto transaction = begun ? begun : core_.transactions.begin(request);
  waiting_.insert(transaction.value);
  core_.engine.spawn("sip.auth", finish(this, alive_, transaction, std::move(question), std::move(verdict), done));
}

Task<> Gate::finish(Gate* gate, std::weak_ptr<void> alive, Transaction transaction, std::unique_ptr<Question> question,
                    Verdict verdict, Done done) {
  const bool handled = co_await settle(std::move(verdict));
  if (alive.expired() || gate->waiting_.erase(transaction.value) == 0) co_return;
  const auto* message = gate->core_.transactions.request_of(transaction);
  if (!message) co_return;
  const IncomingRequest request{*message, gate->core_.transactions.flow_of(transaction)};
  const auto credentials = credentials_for(*message, gate->core_.settings->realm);  // parsed anew: the request has moved meanwhile
  gate->decide(request, transaction, *question, handled, credentials && *credentials ? &**credentials : nullptr, done);
}

bool Gate::cancelled(Transaction invite) {
  if (waiting_.erase(invite.value) == 0) return false;
  if (const auto* message = core_.transactions.request_of(invite))
    answer(core_, {*message, core_.transactions.flow_of(invite)}, invite, 487);
  return true;
}

std::unique_ptr<Gate::Question> Gate::ask(const IncomingRequest& request, Purpose purpose, const AuthHeader* credentials) const {
  auto question = std::make_unique<Question>(
      Question{jackfield::Message(messages::kUserAuth.name, core_.engine.clock().wall()), 0, purpose, credentials != nullptr});
  auto& m = question->message;
  const auto& sip = request.message;
  m.add(param::kProtocol, "sip");
  if (credentials) {
    m.add(param::kUsername, credentials->username);
    m.add(param::kRealm, credentials->realm);
    m.add(param::kNonce, credentials->nonce);
    m.add(param::kResponse, credentials->response);
    m.add(param::kUri, credentials->uri);
  }
  m.add(param::kMethod, sip.method_text());
  set_source(m, core_, request.flow);
  m.add(param::kNewcall, purpose == Purpose::call ? "true" : "false");
  m.add(param::kDomain, sip.to()->uri.host);
  if (const auto device = sip.value(HeaderId::user_agent); !device.empty()) m.add(param::kDevice, device);
  if (purpose != Purpose::registration) {
    m.add(param::kCaller, unescape(sip.from()->uri.user));
    if (sip.request_uri()) m.add(param::kCalled, unescape(sip.request_uri()->user));
  }
  m.add(param::kSipUri, sip.request_uri_text());
  m.add(param::kSipFrom, sip.from()->uri.text);
  m.add(param::kSipTo, sip.to()->uri.text);
  m.add(param::kSipCallid, sip.call_id());
  question->given = m.parameters().size();
  return question;
}

void Gate::decide(const IncomingRequest& request, Transaction transaction, Question& question, bool handled,
                  const AuthHeader* credentials, const Done& done) {
  if (!question.upstream.empty()) return decide_upstream(request, transaction, question, handled, done);
  if (!question.with_credentials) return decide_stranger(request, transaction, question, handled, done);
  if (!credentials) return challenge(request, transaction, Stale::no);  // the realm changed while the store was asked
  decide_user(request, transaction, question, handled, *credentials, done);
}

void Gate::decide_upstream(const IncomingRequest& request, Transaction transaction, Question& question, bool handled, const Done& done) {
  const auto& message = question.message;
  const auto code = asked_code(message);
  if (message.retvalue() == "-" || code) return refuse(request, transaction, code.value_or(403), {}, "user.auth refused the source");
  // Several of them may be at one address: whom it calls says which.
  const auto* line = core_.connections ? core_.connections->find(message.get(param::kInLine)) : nullptr;
  if (!handled || !message.retvalue().empty() || !line || line->settings().type != line::Type::upstream) return admit_known(request, question.purpose, done, transaction);
  auto sender = sender_of(*line);
  take_parameters(message, question.given, false, sender);
  done(sender, request, transaction);
}

void Gate::decide_stranger(const IncomingRequest& request, Transaction transaction, Question& question, bool handled, const Done& done) {
  const auto& message = question.message;
  if (handled && message.retvalue().empty()) return pass(request, transaction, question, false, done);
  const auto code = asked_code(message);
  if (message.retvalue() == "-" || code) return refuse(request, transaction, code.value_or(403), {}, "user.auth refused the source");
  if (question.purpose != Purpose::registration && !core_.settings->auth_calls)
    return done({.kind = Sender::Kind::anonymous}, request, transaction);
  explain_refusal(request, question.purpose);
  challenge(request, transaction, Stale::no);
}

void Gate::decide_user(const IncomingRequest& request, Transaction transaction, Question& question, bool handled,
                       const AuthHeader& credentials, const Done& done) {
  const auto& message = question.message;
  const auto code = asked_code(message);
  if (message.retvalue() == "-" || (!handled && code)) return refuse(request, transaction, code.value_or(403), {}, "user.auth refused the user");
  if (!handled) return wrong(request, transaction, question, "unknown user");

  stack::DigestSecret secret{.password = message.retvalue()};
  if (message.get(param::kHa1Realm, core_.settings->realm) == core_.settings->realm) {
    secret.ha1_md5 = message.get(param::kHa1Md5);
    secret.ha1_sha256 = message.get(param::kHa1Sha256);
  }
  const bool has_secret = !secret.password.empty() || message.has(param::kHa1Md5) || message.has(param::kHa1Sha256);
  if (!has_secret) return pass(request, transaction, question, false, done);

  const auto algorithm = digest::algorithm_from(credentials.algorithm);
  const auto& offered = core_.listener(request.flow).access.digest;
  if (!algorithm || std::find(offered.begin(), offered.end(), *algorithm) == offered.end())
    return challenge(request, transaction, Stale::no, &secret);
  switch (digest_.verify(credentials, request.message.method_text(), secret)) {
    case digest::Verdict::mismatch: return wrong(request, transaction, question, "wrong password");
    case digest::Verdict::unusable: return challenge(request, transaction, Stale::no, &secret);
    case digest::Verdict::match: break;
  }
  if (core_.settings->check_uri && !is_for_request(credentials.uri, request.message, [this](std::string_view host, std::uint16_t port) {
        return core_.settings->is_our_domain(host) || core_.transport.is_ours(host, port ? port : 5060);
      }))
    return refuse(request, transaction, 400, "Credentials Are For Another URI", "the uri of the credentials is not the request's");
  if (!digest_.note_use(credentials, fingerprint(request.message))) return challenge(request, transaction, Stale::yes);
  sources_.note_user(request.flow.remote);
  if (core_.guard) core_.guard->proved(request.flow);
  pass(request, transaction, question, true, done);
}

void Gate::pass(const IncomingRequest& request, Transaction transaction, Question& question, bool proved, const Done& done) {
  const auto& message = question.message;
  Sender sender;
  sender.username = message.get(param::kUsername);
  if (sender.username.empty() && question.purpose == Purpose::registration) sender.username = unescape(request.message.to()->uri.user);
  sender.kind = sender.username.empty() ? Sender::Kind::trusted : Sender::Kind::user;
  take_parameters(message, question.given, question.purpose == Purpose::registration, sender);
  // A rule that named the user vouches for the caller's number too; credentials vouch for the user only.
  if ((proved || question.with_credentials || question.purpose == Purpose::registration) &&
      !has_own_number(request, question.purpose, sender)) {
    if (core_.guard)
      core_.guard->last_failures().note(sender.username, core_.engine.clock().wall(), request.flow.remote, "To or From is not one of the user's numbers");
    return refuse(request, transaction, 403, {}, question.purpose == Purpose::registration ? "To is not one of the user's numbers" : "From is not one of the user's numbers");
  }
  done(sender, request, transaction);
}

bool Gate::has_own_number(const IncomingRequest& request, Purpose purpose, const Sender& sender) const {
  if (purpose == Purpose::registration)
    return !check_wanted(sender, kCheckTo, core_.settings->check_to) || is_own_number(sender, unescape(request.message.to()->uri.user));
  const auto& from = *request.message.from();
  return is_anonymous(from) || !check_wanted(sender, kCheckFrom, core_.settings->check_from) ||
         is_own_number(sender, unescape(from.uri.user));
}

void Gate::wrong(const IncomingRequest& request, Transaction transaction, Question& question, std::string_view why) {
  wrong_.add();
  // The nonce was ours and that source's (checked before asking), so the source is proved (D7).
  jackfield::Message fail(messages::kUserAuthfail.name, core_.engine.clock().wall());
  const auto parameters = question.message.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto& [name, value] = parameters[i];
    if (begins_with(name, kOnFailure)) fail.set(name.substr(kOnFailure.size()), value);
    else if (i < question.given) fail.set(name, value);
  }
  const auto code = asked_code(fail);
  if (!fail.has(param::kReason)) fail.set(param::kReason, why);
  const std::string username(fail.get(param::kUsername));
  // What a filter of log lines (fail2ban) goes by: the address is proved, and no challenge writes this line.
  core_.log.info("event=wrong-credentials reason=\"{}\" method={} user={} address={} transport={} callid={}", why, request.message.method_text(),
                 log_value(username), request.flow.remote.text(), stack::transport_name(request.flow.kind), log_value(request.message.call_id()));
  core_.engine.bus().enqueue(std::move(fail));
  const auto consequence = core_.guard ? core_.guard->wrong(request.flow, username, why) : guard::Guard::Consequence{};
  if (consequence.banned) return refuse(request, transaction, 403, {}, "banned for wrong credentials");
  if (code && *code != 401) return refuse(request, transaction, *code, {}, "wrong credentials");
  if (consequence.delay == Duration(0) || !challenge_later(request, transaction, consequence.delay)) challenge(request, transaction, Stale::no);
}

bool Gate::challenge_later(const IncomingRequest& request, Transaction transaction, Duration delay) {
  if (delayed_ >= kMostDelayed) return false;
  if (!transaction) transaction = core_.transactions.begin(request);
  waiting_.insert(transaction.value);
  ++delayed_;
  core_.engine.timers().start(delays_, transaction.value, delay);
  return true;
}

void Gate::challenge_due(Transaction transaction) {
  --delayed_;
  if (waiting_.erase(transaction.value) == 0) return;  // cancelled
  if (const auto* message = core_.transactions.request_of(transaction))
    challenge(IncomingRequest{*message, core_.transactions.flow_of(transaction)}, transaction, Stale::no);
}

void Gate::refuse(const IncomingRequest& request, Transaction transaction, int code, std::string_view phrase, std::string_view why) {
  if (code == 401) return challenge(request, transaction, Stale::no);
  refused_.add();
  core_.log.info("event=refused method={} code={} reason=\"{}\" address={} from={} to={} callid={}", request.message.method_text(), code, why,
                 request.flow.remote.text(), log_value(request.message.from()->uri.text), log_value(request.message.to()->uri.text),
                 log_value(request.message.call_id()));
  answer(core_, request, transaction, code, phrase);
}

// Anybody may send such requests, from any address and as fast as he likes: one line for each address, not for each request.
void Gate::refuse_unproved(const IncomingRequest& request, Transaction transaction, int code, std::string_view phrase, std::string_view why) {
  if (sources_.first_refusal(request.flow.remote)) return refuse(request, transaction, code, phrase, why);
  refused_.add();
  answer(core_, request, transaction, code, phrase);
}

void Gate::challenge(const Message& request, const stack::FlowId& flow, Transaction transaction) {
  challenge(IncomingRequest{request, flow}, transaction, Stale::no);
}

void Gate::challenge(const IncomingRequest& request, Transaction transaction, Stale stale, const stack::DigestSecret* known) {
  challenged_.add();
  const auto nonce = digest_.make_nonce(request.flow.remote, now());
  const auto& offered = core_.listener(request.flow).access.digest;
  const bool any_serves = known && std::any_of(offered.begin(), offered.end(), [&](auto algorithm) { return known->serves(algorithm); });
  answer(core_, request, transaction, 401, {}, [&](Writer& writer) {
    std::string value;
    value.reserve(192);  // longer ones grow
    for (const auto algorithm : offered) {
      // A user of whom only some HA1s are stored is asked for what can be verified.
      if (any_serves && !known->serves(algorithm)) continue;
      value.clear();
      stack::DigestAuth::append_challenge(value, core_.settings->realm, nonce, algorithm, stale == Stale::yes);
      writer.header(HeaderId::www_authenticate, value);
    }
  });
}

void Gate::explain_refusal(const IncomingRequest& request, Purpose purpose) {
  if (purpose == Purpose::registration || !sources_.first_refusal(request.flow.remote)) return;
  core_.log.info("event=refused method={} code=401 address={} from={} hint=\"to accept calls from there without credentials: trusted={} in [general] of sip.conf\"",
                 request.message.method_text(), request.flow.remote.text(), log_value(request.message.from()->uri.text), request.flow.remote.host());
}

}  // namespace jackfield::sip::admission
