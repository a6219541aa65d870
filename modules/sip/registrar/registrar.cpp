#include "registrar/registrar.h"

#include <jackfield/message_text.h>
#include <jackfield/messages/user.h>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "answer.h"
#include "guard/guard.h"
#include "registrar/store_messages.h"
#include "sip/text.h"
#include "sip/uri.h"

namespace jackfield::sip::registrar {

namespace {

namespace param = messages::param;
using stack::IncomingRequest;

const std::string* parameter(const Sender& sender, std::string_view name) {
  for (const auto& [key, value] : sender.parameters)
    if (key == name) return &value;
  return nullptr;
}

}  // namespace

Registrar::Registrar(Core& core, Admission& admission)
    : core_(core),
      admission_(admission),
      keepalive_(core, table_),
      timers_(core.engine.timers().add_sink([this](std::uint64_t) { tick(); })),
      unregistered_(core.engine.bus().install({.message = messages::kUserUnregister, .priority = 1}, [this](jackfield::Message& message) -> Verdict {
        if (&message != asking_) unregistered(message);
        return false;
      })),
      registered_question_(core.engine.bus().install({.message = messages::kUserRegistered, .priority = 100, .track = "sip", .dry_run = true},
                                                     [this](jackfield::Message& message) { return is_registered(message); })),
      registered_(core.engine.metrics().counter("jackfield_sip_registrations_total", "REGISTER requests that were carried out.")),
      failed_(core.engine.metrics().counter("jackfield_sip_failed_registrations_total", "REGISTER requests that were refused after authentication.")),
      bindings_gauge_(core.engine.metrics().gauge("jackfield_sip_bindings_count", "Bindings in the table.", {}, [this] { return static_cast<double>(table_.size()); })),
      users_gauge_(core.engine.metrics().gauge("jackfield_sip_users_count", "Users with a binding.", {}, [this] { return static_cast<double>(table_.users()); })) {}

Registrar::~Registrar() { core_.engine.timers().remove_sink(timers_); }

void Registrar::request(const IncomingRequest& request) {
  const auto& settings = *core_.settings;
  if (!settings.registrar.enabled) return answer(core_, request, {}, 403, "This server registers nobody");
  if (core_.engine.draining())
    return answer(core_, request, {}, 503, {}, [](Writer& writer) { writer.header(HeaderId::retry_after, 10ul); });
  // What another server has to agree to is its domain's and its users' (D19, D20); from a source that is denied nothing goes on to it.
  const bool asks = upstream_.exists() && !core_.listener(request.flow).access.is_denied(request.flow.remote);
  if (asks) upstream_.ask(request);
  else not_carried(request, {});
}

void Registrar::not_carried(const IncomingRequest& request, Transaction begun) {
  // D12; but whether somebody carries another domain's may turn on who he is to us.
  const auto& to = request.message.to()->uri;
  const bool may_be_carried = upstream_.exists() && !is_own_domain(core_, to);
  if (!may_be_carried && !core_.settings->is_our_domain(to.host)) return answer(core_, request, begun, 404);
  admission_.admit(
      request, Admission::Purpose::registration,
      [this](const Sender& sender, const IncomingRequest& admitted_request, Transaction transaction) { admitted(sender, {}, admitted_request, transaction); }, begun);
}

void Registrar::agreed(const Sender& sender, Agreement agreement, const IncomingRequest& request, Transaction transaction) {
  if (core_.guard && proves_source(request)) core_.guard->proved(request.flow);
  admitted(sender, std::move(agreement), request, transaction);
}

bool Registrar::proves_source(const IncomingRequest& request) const {
  for (const auto header : {HeaderId::authorization, HeaderId::proxy_authorization})
    for (const auto& credentials : request.message.digests(header))
      if (passed_nonces_.knows(request.flow.remote, credentials.nonce)) return true;
  return false;
}

void Registrar::declined(const std::string& username, const Refusal& refusal, const IncomingRequest& request, Transaction transaction) {
  note_refusal(username, refusal, request.flow.remote);
  bool stale = false;
  const bool wrong = (refusal.code == 401 || refusal.code == 403 || refusal.code == 407) && proves_source(request);
  for (const auto& [name, value] : refusal.headers) {
    if (const auto id = header_id(name); id != HeaderId::www_authenticate && id != HeaderId::proxy_authenticate) continue;
    const auto challenge = parse_auth(value);
    if (!challenge) continue;
    passed_nonces_.note(request.flow.remote, challenge->nonce);
    stale = stale || text::equal(challenge->stale, "true");
  }
  if (wrong && !stale && core_.guard) {  // D21: like wrong credentials of ours
    core_.log.info("event=wrong-credentials reason=\"refused by the other server\" method=REGISTER user={} address={} transport={} callid={}", log_value(username),
                   request.flow.remote.text(), stack::transport_name(request.flow.kind), log_value(request.message.call_id()));
    jackfield::Message fail(messages::kUserAuthfail.name, core_.engine.clock().wall());
    fail.add(param::kUsername, username).add(param::kDomain, request.message.to()->uri.host).add(param::kReason, "refused by the other server");
    set_source(fail, core_, request.flow);
    core_.engine.bus().enqueue(std::move(fail));
    const auto consequence = core_.guard->wrong(request.flow, username, "refused by the other server");
    if (consequence.banned) return answer(core_, request, transaction, 403);
  }
  answer(core_, request, transaction, refusal.code, refusal.phrase, [&](Writer& writer) { write_headers(writer, refusal); });
}

// Whom it will be for its other server says with its answer: he is known here by his number, or with his domain (D21).
Planned Registrar::plan_for(const IncomingRequest& request) const {
  return plan(user_or_whole(unescape(request.message.to()->uri.user), request), {}, UINT32_MAX, request);
}

std::string Registrar::user_or_whole(std::string_view username, const IncomingRequest& request) const {
  auto whole = fmt::format("{}@{}", username, request.message.to()->uri.host);
  return table_.has_user(whole) ? std::move(whole) : std::string(username);
}

void Registrar::admitted(const Sender& sender, std::optional<Agreement> agreement, const IncomingRequest& request, Transaction transaction) {
  if (!busy_.empty()) {
    if (const auto line = busy_.find(sender.username); line != busy_.end()) {
      std::erase_if(line->second, [this](const auto& waiting) { return !core_.transactions.request_of(waiting.transaction); });
      if (line->second.size() >= kMaxWaiting)
        return answer(core_, request, transaction, 500, "Too many registrations at once", [](Writer& writer) { writer.header(HeaderId::retry_after, 5ul); });
      line->second.push_back({transaction ? transaction : core_.transactions.begin(request), sender, std::move(agreement)});
      return;
    }
  }
  start(std::make_unique<Job>(Work(core_, table_, sender.username), sender, transaction, std::move(agreement)), &request);
}

bool Registrar::start(std::unique_ptr<Job> job, const IncomingRequest* request) {
  // An answer in a transaction is given once the store is sure; who gets none (an expiry, what is undone) waits for no disk.
  const bool holds = !request || (!job->transaction && !stack::is_reliable(request->flow.kind));
  while (auto* message = next(*job, request)) {
    auto verdict = ask(*message);
    if (verdict.provisional() && holds) {
      if (request) job->provisos.push_back(std::move(verdict).open());
      answered(*job, true);
      continue;
    }
    if (!verdict.immediate()) {
      if (request && !job->transaction) job->transaction = core_.transactions.begin(*request);
      busy_.try_emplace(job->work.username());
      core_.engine.spawn("sip.registrar", carry_on(this, alive_, std::move(job), std::move(verdict)));
      return false;
    }
    answered(*job, verdict.handled());
  }
  if (!job->provisos.empty() && !job->work.refusal()) {
    hold(std::move(job), *request);
    return false;
  }
  finish(*job, request);
  return true;
}

Task<> Registrar::carry_on(Registrar* registrar, std::weak_ptr<void> alive, std::unique_ptr<Job> job, Verdict first) {
  std::optional<Verdict> verdict(std::move(first));
  std::optional<IncomingRequest> request;
  for (;;) {
    const bool handled = co_await settle(std::move(*verdict));
    if (alive.expired()) co_return;
    registrar->answered(*job, handled);
    auto& transactions = registrar->core_.transactions;
    request.reset();
    if (const auto* message = transactions.request_of(job->transaction)) request.emplace(IncomingRequest{*message, transactions.flow_of(job->transaction)});
    auto* next = registrar->next(*job, request ? &*request : nullptr);
    if (!next) break;
    verdict.emplace(registrar->ask(*next));
  }
  registrar->finish(*job, request ? &*request : nullptr);
  registrar->next_in_line(job->work.username());
}

Verdict Registrar::ask(jackfield::Message& message) {
  const auto* before = std::exchange(asking_, &message);
  auto verdict = core_.engine.bus().dispatch(message);
  asking_ = before;
  return verdict;
}

void Registrar::next_in_line(const std::string& username) {
  for (;;) {
    const auto line = busy_.find(username);
    if (line->second.empty()) {
      busy_.erase(line);
      return;
    }
    auto [transaction, sender, agreement] = std::move(line->second.front());
    line->second.erase(line->second.begin());
    const auto* message = core_.transactions.request_of(transaction);
    if (!message) continue;
    // The line is kept for whoever comes meanwhile, and goes on when that one is done.
    auto waiting = std::move(line->second);
    busy_.erase(line);
    const IncomingRequest request{*message, core_.transactions.flow_of(transaction)};
    start(std::make_unique<Job>(Work(core_, table_, username), std::move(sender), transaction, std::move(agreement)), &request);
    const auto again = busy_.find(username);
    if (again != busy_.end()) {
      again->second = std::move(waiting);
      return;
    }
    if (waiting.empty()) return;
    busy_.emplace(username, std::move(waiting));
  }
}

bool Registrar::recall_wanted(const std::string& username, const IncomingRequest* request) const {
  // A store of several servers says with each answer what it keeps; for who only asks there is none, so it is asked.
  const bool only_asks = store_is_shared_ && request && !request->message.has(HeaderId::contact);
  return (only_asks || !table_.has_user(username)) && core_.engine.bus().has_handlers(messages::kUserBindings.name);
}

jackfield::Message* Registrar::next(Job& job, const IncomingRequest* request) {
  if (job.stage == Job::Stage::begin) {
    job.stage = Job::Stage::recall;
    if (recall_wanted(job.work.username(), request)) {
      job.question.emplace(messages::kUserBindings.name, core_.engine.clock().wall());
      job.question->set(param::kUsername, job.work.username());
      return &*job.question;
    }
  }
  if (job.stage == Job::Stage::recall) {
    job.stage = Job::Stage::upstream;
    if (request && !job.agreement && upstream_.exists()) {
      const auto planned = plan(user_or_whole(job.work.username(), *request), job.sender, UINT32_MAX, *request);
      if (planned) {
        job.question.emplace(upstream_question(core_, *request, &job.sender, planned, nullptr));
        job.given = job.question->parameters().size();
        return &*job.question;
      }
      job.refusal = planned.error();
    }
  }
  if (job.stage == Job::Stage::upstream) {
    job.stage = Job::Stage::changes;
    if (job.refusal || job.renamed) return nullptr;
    std::erase_if(job.sender.parameters, [](const auto& parameter) { return is_secret(parameter.first); });  // they were for the other server
    if (request && !job.agreement && !core_.settings->is_our_domain(request->message.to()->uri.host)) {  // D12: nobody carries it
      job.refusal = Refusal{.code = 404, .phrase = {}};
      return nullptr;
    }
    // Planned when all is known: the store told of bindings, the other server of the time it grants.
    auto changes = request ? plan(job.work.username(), job.sender, job.agreement ? job.agreement->most : UINT32_MAX, *request) : tl::unexpected(Refusal{.code = 500, .phrase = {}});
    if (changes) job.work.begin(std::move(*changes), {max_contacts(job.sender), core_.settings->registrar.max_contacts_policy});
    else job.refusal = std::move(changes.error());
  }
  return job.refusal ? nullptr : job.work.next(request ? &request->message : nullptr, job.sender);
}

void Registrar::answered(Job& job, bool handled) {
  if (job.stage == Job::Stage::changes) return job.work.answered(handled);
  if (job.stage == Job::Stage::upstream) {
    if (!handled) return;
    auto agreement = read_agreement(*job.question, job.given, job.sender);
    if (agreement) job.agreement = std::move(*agreement), job.renamed = job.sender.username != job.work.username();
    else job.refusal = std::move(agreement.error());
    return;
  }
  job.work.hear(*job.question);
  if (job.work.store_is_shared()) note_shared();
  if (const auto* stored = job.question->payload<messages::StoredBindings>()) restore_all(*stored, job.work.store_is_shared());
}

unsigned Registrar::max_contacts(const Sender& sender) const {
  const auto general = core_.settings->registrar.max_contacts;
  const auto* own = parameter(sender, param::kMaxContacts.name);
  return own ? static_cast<unsigned>(parse_integer(*own).value_or(general)) : general;
}

Planned Registrar::plan(const std::string& username, const Sender& sender, std::uint32_t most_expires, const IncomingRequest& request) const {
  const auto* own_foreign = parameter(sender, param::kForeignContacts.name);
  const bool from_edge = request.message.has(HeaderId::path) && core_.listener(request.flow).access.is_trusted(request.flow.remote);
  return plan_changes({.request = request,
                       .username = username,
                       .max_contacts = max_contacts(sender),
                       .shared_store = store_is_shared_,
                       .foreign_contacts = from_edge || (own_foreign && parse_boolean(*own_foreign).value_or(false)),
                       .most_expires = most_expires,
                       .now = core_.engine.clock().now(),
                       .settings = core_.settings->registrar,
                       .is_ours = [this](std::string_view host, std::uint16_t port) { return core_.transport.is_ours(host, port); },
                       .is_alive = [this](const stack::FlowId& flow) { return core_.transport.alive(flow); }},
                      table_);
}

void Registrar::finish(Job& job, const IncomingRequest* request) {
  if (job.renamed) {  // he waits his turn there, and what is known of him there decides
    if (request) admitted(job.sender, std::move(job.agreement), *request, job.transaction);
    return;
  }
  if (const auto& refusal = job.refusal ? job.refusal : job.work.refusal()) return refuse(job, *refusal, request);
  enter(job.work.apply());
  if (job.work.store_is_shared()) note_shared();
  if (!request) return;
  registered(job, request->flow.remote, request->message.call_id());
  answer_bindings(*request, job, false);  // last: over TCP the request ends with its answer
}

void Registrar::enter(Work::Effects effects) {
  // Hold before release: a connection that a refreshed binding stays on is never without one.
  for (const auto id : effects.entered) {
    const auto* binding = table_.find(id);
    if (!binding) continue;  // gone with the connection of the one before
    const auto flow = binding->facts().flow;
    if (!flow || !stack::is_reliable(flow.kind)) continue;
    if (core_.transport.alive(flow)) core_.transport.hold(flow);
    else flow_closed(flow);  // it closed while the store was at work
  }
  for (const auto& binding : effects.gone) release(*binding);
  watch_clock();
}

void Registrar::enter_by_hand(Binding::Ptr binding, long long most) {
  if (!binding) return;
  const std::string username(binding->username());
  const auto entered = table_.put(std::move(binding));
  if (entered.replaced) release(*entered.replaced);
  while (most > 0 && std::cmp_greater(table_.count_of(username), most)) {
    BindingId oldest = 0;
    table_.each_of(username, [&](BindingId id, const Binding& each) {
      if (id != entered.id && (!oldest || each.facts().refreshed < table_.find(oldest)->facts().refreshed)) oldest = id;
    });
    if (const auto gone = table_.take(oldest)) release(*gone);
  }
  watch_clock();
}

void Registrar::release(const Binding& binding) {
  const auto& flow = binding.facts().flow;
  if (flow && stack::is_reliable(flow.kind)) core_.transport.release(flow);
}

void Registrar::flow_closed(const stack::FlowId& flow) {
  if (!stack::is_reliable(flow.kind)) return;
  const auto ids = table_.on_connection(flow.connection);
  if (ids.empty()) return;
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) table_.take(*id);
  jackfield::Message message(messages::kUserUnregister.name, core_.engine.clock().wall());
  message.set(param::kConnectionId, connection_id(core_, flow));
  core_.engine.bus().enqueue(std::move(message));
  core_.log.info("event=connection-lost bindings={} address={}", ids.size(), flow.remote.text());
}

std::optional<BindingTarget> Registrar::find(std::string_view data) const {
  const auto* binding = table_.find_data(data);
  if (!binding || binding->expired(core_.engine.clock().now())) return std::nullopt;
  const auto& flow = binding->facts().flow;
  if (!flow || !core_.transport.alive(flow)) return std::nullopt;
  // P-7: one that answers no OPTIONS is passed over, until it answers again or registers anew.
  BindingTarget target{.flow = binding->unavailable() ? stack::FlowId{} : flow, .request_uri = std::string(binding->contact()), .route = {}};
  std::vector<std::string_view> path;
  split_list(binding->path(), path);
  target.route.assign(path.begin(), path.end());
  target.username = binding->username();
  if (stack::is_reliable(flow.kind)) target.device = Device{std::string(binding->username()), std::string(binding->key())};
  return target;
}

std::optional<Device> Registrar::device_on(std::string_view username, const stack::FlowId& connection) const {
  std::optional<Device> device;
  table_.each_of(username, [&](BindingId, const Binding& binding) {
    if (binding.facts().flow == connection) device = Device{std::string(username), std::string(binding.key())};
  });
  return device;
}

std::optional<stack::FlowId> Registrar::connection_of(const Device& device) const {
  std::optional<stack::FlowId> same, only;
  std::size_t count = 0;
  table_.each_of(device.username, [&](BindingId, const Binding& binding) {
    const auto& flow = binding.facts().flow;
    if (!flow || !stack::is_reliable(flow.kind) || !core_.transport.alive(flow)) return;
    ++count;
    only = flow;
    if (binding.key() == device.key) same = flow;
  });
  return same || count != 1 ? same : only;
}

void Registrar::watch_clock() {
  if (ticking_ || table_.size() == 0) return;
  ticking_ = true;
  const auto now = core_.engine.clock().now();
  const auto next = std::chrono::floor<std::chrono::seconds>(now) + std::chrono::seconds(1);
  core_.engine.timers().start(timers_, 0, next - now, TimerKind::coarse);
}

void Registrar::tick() {
  ticking_ = false;
  expire();
  keepalive_.tick(std::chrono::floor<std::chrono::seconds>(core_.engine.clock().now().time_since_epoch()).count());
  watch_clock();
}

void Registrar::expire() {
  for (const auto id : table_.due(core_.engine.clock().now())) {
    const auto* binding = table_.find(id);
    if (!binding) continue;
    std::string username(binding->username());
    // Rows of a shared store end by themselves, and this one may have been renewed at another server.
    if (binding->shared()) {
      if (const auto gone = table_.take(id)) release(*gone);
      continue;
    }
    if (busy_.contains(username)) continue;  // met again at the next second, after whoever is being served
    auto job = std::make_unique<Job>(Work(core_, table_, std::move(username)), Sender{}, Transaction{});
    job->stage = Job::Stage::changes;
    Few<Change> changes;
    changes.push_back(Change{Change::What::remove, nullptr, std::string(binding->key()), "expired"});
    job->work.begin(std::move(changes), {});
    core_.log.debug("event=expired user={} contact={}", log_value(job->work.username()), log_value(binding->contact()));
    start(std::move(job), nullptr);
  }
}

}  // namespace jackfield::sip::registrar
