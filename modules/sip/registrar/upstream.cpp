#include "registrar/upstream.h"

#include <jackfield/messages/upstream.h>

#include <fmt/format.h>

#include <algorithm>

#include "answer.h"
#include "call/own_headers.h"
#include "call/reasons.h"
#include "registrar/contact.h"
#include "sip/text.h"
#include "sip/uri.h"

namespace jackfield::sip::registrar {

namespace {

namespace param = messages::param;
using stack::IncomingRequest;

constexpr std::string_view kHeader = "osip_";
/// Of one REGISTER: several realms' worth. What is longer may not arrive, and silence would be taken for the other server's.
constexpr std::size_t kMostCredentials = 2048;

std::size_t credentials_in(const Message& request) {
  std::size_t length = 0;
  for (const auto& line : request.headers())
    if (line.id == HeaderId::authorization || line.id == HeaderId::proxy_authorization) length += line.value.size();
  return length;
}

/// REGISTERs of one AOR, however they write its host.
std::string aor_of(const Message& request) {
  const auto& uri = request.to()->uri;
  std::string out = unescape(uri.user) + "@";
  for (const char c : uri.host) out += text::lower(c);
  return out;
}

}  // namespace

bool is_own_domain(const Core& core, const Uri& uri) {
  return (!core.settings->domains.empty() && core.settings->is_our_domain(uri.host)) || core.transport.is_ours(uri.host, port_of(uri));
}

namespace {

/// As the phone wrote them: other realms' first, for which alone it can be meant where ours is served here. What answers a challenge of
/// ours shows nobody else: its password could be guessed at leisure. A server there may have our realm; then its nonce was passed on.
void add_credentials(jackfield::Message& message, const Core& core, const IncomingRequest& request, HeaderId id, const messages::ParameterName& name, const PassedNonces* passed) {
  const auto add = [&](bool ours) {
    for (const auto& line : request.message.headers()) {
      if (line.id != id) continue;
      const auto parsed = parse_auth(line.value);
      if ((parsed && parsed->realm == core.settings->realm) != ours) continue;
      if (!ours || passed->knows(request.flow.remote, parsed->nonce)) message.add(name, line.value);
    }
  };
  add(false);
  if (passed) add(true);
}

void add_bindings(jackfield::Message& message, const Core& core, const Few<Change>& changes) {
  const auto now = core.engine.clock().now();
  std::uint32_t longest = 0;
  int number = 0;
  for (const auto& change : changes) {
    if (change.what == Change::What::remove_all) {
      message.add(param::kSipContact, "*");
      continue;
    }
    const auto expires = change.what == Change::What::put ? change.binding->remaining(now) : 0;
    longest = std::max(longest, expires);
    const auto name = fmt::format("{}.{}", param::kBinding.name, ++number);
    message.add(std::string_view(name), change.key);
    message.add(std::string_view(name + ".expires"), static_cast<long long>(expires));
  }
  if (!changes.empty()) message.add(param::kExpires, static_cast<long long>(longest));
}

}  // namespace

jackfield::Message upstream_question(const Core& core, const IncomingRequest& request, const Sender* sender, const Planned& planned, const PassedNonces* passed) {
  jackfield::Message m(messages::kUserUpstream.name, core.engine.clock().wall());
  const auto& sip = request.message;
  const auto number = unescape(sip.to()->uri.user);
  m.add(param::kAuthenticated, sender ? "true" : "false");
  m.add(param::kUsername, sender ? sender->username : number);
  m.add(param::kDomain, sip.to()->uri.host);
  m.add(param::kOwnDomain, is_own_domain(core, sip.to()->uri) ? "true" : "false");
  m.add(param::kNumber, number);
  m.add(param::kSipUri, sip.request_uri_text());
  m.add(param::kSipFrom, sip.from()->uri.text);
  m.add(param::kSipTo, sip.to()->uri.text);
  m.add(param::kSipCallid, sip.call_id());
  m.add(param::kSipCseq, static_cast<long long>(sip.cseq()->number));
  m.add(param::kAntiloop, static_cast<long long>(sip.max_forwards().value_or(core.settings->max_forwards)));
  if (planned) add_bindings(m, core, *planned);
  add_credentials(m, core, request, HeaderId::authorization, param::kAuthorization, passed);
  add_credentials(m, core, request, HeaderId::proxy_authorization, param::kProxyAuthorization, passed);
  set_source(m, core, request.flow);
  if (const auto device = sip.value(HeaderId::user_agent); !device.empty()) m.add(param::kDevice, device);
  if (sender)
    for (const auto& [name, value] : sender->parameters)
      if (!m.has(name) && !name.starts_with(kHeader)) m.add(std::string_view(name), value);
  return m;
}

tl::expected<Agreement, Refusal> read_agreement(const jackfield::Message& answer, std::size_t given, Sender& sender) {
  Agreement agreement{.headers = call::own_headers(answer, kHeader)};
  Refusal refusal{.code = static_cast<int>(answer.number(param::kCode)), .phrase = {}};
  const bool refused = answer.retvalue() == "-" || !answer.get(param::kError).empty();
  // Whoever lets somebody in without proof says so in so many words.
  if (refusal.code < 200 || refusal.code > 699) refusal.code = refused ? call::code_of(answer.get(param::kError)).value_or(403) : 500;
  if (const auto reason = answer.get(param::kReason); !call::code_of(reason)) refusal.phrase = reason;
  const auto parameters = answer.parameters();
  for (const auto& [name, value] : parameters.subspan(std::min(given, parameters.size()))) {
    const bool ours = name == param::kHandlers.name || name == param::kCode.name || name == param::kReason.name || name == param::kError.name || name == param::kExpires.name;
    if (!ours && !name.starts_with(kHeader)) sender.parameters.emplace_back(name, value);
  }
  if (refusal.code >= 300) {
    refusal.headers = std::move(agreement.headers);
    return tl::unexpected(std::move(refusal));
  }
  sender.kind = Sender::Kind::user;
  if (const auto username = answer.get(param::kUsername); !username.empty()) sender.username = username;
  if (answer.has(param::kExpires)) agreement.most = static_cast<std::uint32_t>(std::clamp<long long>(answer.number(param::kExpires), 0, UINT32_MAX));
  return agreement;
}

bool Upstream::exists() const { return core_.engine.bus().has_handlers(messages::kUserUpstream.name); }

void Upstream::ask(const IncomingRequest& request) {
  if (credentials_in(request.message) > kMostCredentials) return answer(core_, request, {}, 400, "Credentials Are Too Long");
  if (!waiting_.empty()) {
    if (const auto line = waiting_.find(aor_of(request.message)); line != waiting_.end()) {
      std::erase_if(line->second, [this](Transaction waiting) { return !core_.transactions.request_of(waiting); });
      const auto from_there = std::ranges::count_if(line->second, [&](Transaction waiting) { return core_.transactions.flow_of(waiting).remote.same_host(request.flow.remote); });
      if (line->second.size() >= kMostWaiting || from_there >= kMostOfOneAddress)
        return answer(core_, request, {}, 500, "Too many registrations at once", [](Writer& writer) { writer.header(HeaderId::retry_after, 5ul); });
      line->second.push_back(core_.transactions.begin(request));
      return;
    }
  }
  begin(request, {});
}

bool Upstream::begin(const IncomingRequest& request, Transaction transaction) {
  auto question = std::make_unique<Question>(Question{upstream_question(core_, request, nullptr, owner_.plan_for(request), &passed_), 0});
  question->given = question->message.parameters().size();
  auto verdict = core_.engine.bus().dispatch(question->message);
  if (verdict.immediate()) {
    decide(*question, verdict.handled(), request, transaction);
    return true;
  }
  if (!transaction) transaction = core_.transactions.begin(request);
  auto aor = aor_of(request.message);
  waiting_.try_emplace(aor);
  core_.engine.spawn("sip.upstream", wait(this, alive_, transaction, std::move(aor), std::move(question), std::move(verdict)));
  return false;
}

Task<> Upstream::wait(Upstream* upstream, std::weak_ptr<void> alive, Transaction transaction, std::string aor, std::unique_ptr<Question> question, Verdict verdict) {
  const bool handled = co_await settle(std::move(verdict));
  if (alive.expired()) co_return;
  auto& transactions = upstream->core_.transactions;
  if (const auto* message = transactions.request_of(transaction))
    upstream->decide(*question, handled, IncomingRequest{*message, transactions.flow_of(transaction)}, transaction);
  upstream->next_in_line(aor);
}

void Upstream::decide(Question& question, bool handled, const IncomingRequest& request, Transaction transaction) {
  if (!handled) return owner_.not_carried(request, transaction);
  Sender sender;
  auto agreement = read_agreement(question.message, question.given, sender);
  if (agreement) owner_.agreed(sender, std::move(*agreement), request, transaction);
  else owner_.declined(std::string(question.message.get(param::kUsername)), agreement.error(), request, transaction);
}

void Upstream::next_in_line(const std::string& aor) {
  for (;;) {
    auto line = waiting_.find(aor);
    if (line->second.empty()) {
      waiting_.erase(line);
      return;
    }
    const auto transaction = line->second.front();
    line->second.erase(line->second.begin());
    const auto* message = core_.transactions.request_of(transaction);
    // Whoever comes while it is asked about finds the line there.
    if (message && !begin(IncomingRequest{*message, core_.transactions.flow_of(transaction)}, transaction)) return;
  }
}

}  // namespace jackfield::sip::registrar
