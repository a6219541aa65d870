#include "registrar/registrar.h"

#include <jackfield/messages/user.h>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "answer.h"
#include "guard/guard.h"
#include "registrar/store_messages.h"
#include "sip/uri.h"

namespace jackfield::sip::registrar {

namespace {

namespace param = messages::param;
using stack::IncomingRequest;

constexpr std::size_t kListedBytes = 24 * 1024;  // of Contact headers in a 200: it fits into a datagram, and phones read it

const std::string* parameter(const Sender& sender, std::string_view name) {
  for (const auto& [key, value] : sender.parameters)
    if (key == name) return &value;
  return nullptr;
}

bool is_data_of(const Binding& binding, std::string_view data) {
  return data.starts_with(kTargetPrefix) && data.substr(kTargetPrefix.size()) == binding.data();
}

/// The answer to user.bindings has one that has not expired.
bool holds_binding(const jackfield::Message& answer, WallTime now) {
  bool found = false;
  if (const auto* stored = answer.payload<messages::StoredBindings>())
    stored->each([&](const messages::StoredBinding& binding) { found = found || binding.expires == WallTime{} || binding.expires > now; });
  return found;
}

void append_contact(std::string& out, const Binding& binding, MonoTime now) {
  out.append(1, '<').append(binding.contact()).append(">;expires=").append(fmt::format_int(binding.remaining(now)).c_str());
  const auto& facts = binding.facts();
  if (facts.q != BindingFacts::kNoQ) out += fmt::format(";q={}.{:03}", facts.q / 1000, facts.q % 1000);
  if (!binding.instance().empty()) out.append(";+sip.instance=\"").append(binding.instance()).append(1, '"');
  if (facts.reg_id) out += fmt::format(";reg-id={}", facts.reg_id);
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
      registered_question_(core.engine.bus().install({.message = messages::kUserRegistered, .priority = 100, .track = "sip"},
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
  if (!settings.is_our_domain(request.message.to()->uri.host)) return answer(core_, request, {}, 404);  // D12
  admission_.admit(request, Admission::Purpose::registration,
                   [this](const Sender& sender, const IncomingRequest& admitted_request, Transaction transaction) {
                     admitted(sender, admitted_request, transaction);
                   });
}

void Registrar::admitted(const Sender& sender, const IncomingRequest& request, Transaction transaction) {
  if (!busy_.empty()) {
    if (const auto line = busy_.find(sender.username); line != busy_.end()) {
      std::erase_if(line->second, [this](const auto& waiting) { return !core_.transactions.request_of(waiting.first); });
      if (line->second.size() >= kMaxWaiting)
        return answer(core_, request, transaction, 500, "Too many registrations at once", [](Writer& writer) { writer.header(HeaderId::retry_after, 5ul); });
      line->second.emplace_back(transaction ? transaction : core_.transactions.begin(request), sender);
      return;
    }
  }
  start(std::make_unique<Job>(Work(core_, table_, sender.username), sender, transaction), &request);
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

// Somebody else ended bindings on the bus (an operator, a script): the stores hear it as we do, and nothing is told again.
void Registrar::unregistered(const jackfield::Message& message) {
  if (const auto driver = message.get(param::kDriver); !driver.empty() && driver != "sip") return;
  const auto username = message.get(param::kUsername), key = message.get(param::kBinding), data = message.get(param::kData);
  std::vector<BindingId> ids;
  if (!username.empty()) {
    table_.each_of(username, [&](BindingId id, const Binding& binding) {
      if (!key.empty() ? binding.key() == key : data.empty() || is_data_of(binding, data)) ids.push_back(id);
    });
  } else if (const auto connection = message.get(param::kConnectionId); connection.find('-') != std::string_view::npos) {
    const auto digits = connection.substr(connection.find('-') + 1);
    std::uint32_t number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    ids = table_.on_connection(number);
    // A listener may have a name that looks like that of a connection.
    if (!ids.empty() && connection_id(core_, table_.find(ids.front())->facts().flow) != connection) ids.clear();
  }
  for (auto id = ids.rbegin(); id != ids.rend(); ++id)
    if (const auto binding = table_.take(*id)) release(*binding);
  if (!ids.empty()) core_.log.info("event=unregistered user={} bindings={} by=bus", log_value(username), ids.size());
}

// The table has whoever registered here. Stores know those who did before it was filled, and shared ones those of other servers.
Verdict Registrar::is_registered(const jackfield::Message& message) const {
  const auto username = message.get(param::kUsername);
  if (username.empty()) return false;
  bool here = false;
  const auto now = core_.engine.clock().now();
  table_.each_of(username, [&](BindingId, const Binding& binding) { here = here || binding.remaining(now) > 0; });
  if (here) return true;
  if ((table_.has_user(username) && !store_is_shared_) || !core_.engine.bus().has_handlers(messages::kUserBindings.name)) return false;
  auto question = std::make_unique<jackfield::Message>(messages::kUserBindings.name, core_.engine.clock().wall());
  question->set_broadcast(true);  // of several stores, any may have him
  question->set(param::kUsername, username);
  auto verdict = core_.engine.bus().dispatch(*question);
  if (verdict.immediate()) return holds_binding(*question, core_.engine.clock().wall());
  return ask_stores(std::move(question), std::move(verdict), core_.engine.clock());
}

Task<bool> Registrar::ask_stores(std::unique_ptr<jackfield::Message> question, Verdict verdict, const Clock& clock) {
  co_await settle(std::move(verdict));
  co_return holds_binding(*question, clock.wall());
}

void Registrar::next_in_line(const std::string& username) {
  for (;;) {
    const auto line = busy_.find(username);
    if (line->second.empty()) {
      busy_.erase(line);
      return;
    }
    auto [transaction, sender] = std::move(line->second.front());
    line->second.erase(line->second.begin());
    const auto* message = core_.transactions.request_of(transaction);
    if (!message) continue;
    // The line is kept for whoever comes meanwhile, and goes on when that one is done.
    auto waiting = std::move(line->second);
    busy_.erase(line);
    const IncomingRequest request{*message, core_.transactions.flow_of(transaction)};
    start(std::make_unique<Job>(Work(core_, table_, username), std::move(sender), transaction), &request);
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

void Registrar::note_shared() {
  if (std::exchange(store_is_shared_, true)) return;
  core_.log.info("event=shared-store reason=\"the store holds bindings of several servers; it says how many each user has\"");
}

jackfield::Message* Registrar::next(Job& job, const IncomingRequest* request) {
  if (job.stage == Job::Stage::begin) {
    job.stage = Job::Stage::recall;
    if (recall_wanted(job.work.username(), request)) {
      job.recall.emplace(messages::kUserBindings.name, core_.engine.clock().wall());
      job.recall->set(param::kUsername, job.work.username());
      return &*job.recall;
    }
  }
  if (job.stage == Job::Stage::recall) {
    job.stage = Job::Stage::changes;
    if (!request) job.refusal = Refusal{.code = 500};
    else plan(job, *request);
  }
  return job.refusal ? nullptr : job.work.next(request ? &request->message : nullptr, job.sender);
}

void Registrar::answered(Job& job, bool handled) {
  if (job.stage == Job::Stage::changes) return job.work.answered(handled);
  job.work.hear(*job.recall);
  if (job.work.store_is_shared()) note_shared();
  if (const auto* stored = job.recall->payload<messages::StoredBindings>()) restore_all(*stored, job.work.store_is_shared());
}

void Registrar::plan(Job& job, const IncomingRequest& request) {
  const auto& settings = *core_.settings;
  const auto* own_limit = parameter(job.sender, param::kMaxContacts.name);
  const auto* own_foreign = parameter(job.sender, param::kForeignContacts.name);
  const bool from_edge = request.message.has(HeaderId::path) && core_.listener(request.flow).access.is_trusted(request.flow.remote);
  const Asked asked{.request = request,
                    .username = job.work.username(),
                    .max_contacts = own_limit ? static_cast<unsigned>(parse_integer(*own_limit).value_or(settings.registrar.max_contacts))
                                              : settings.registrar.max_contacts,
                    .shared_store = store_is_shared_,
                    .foreign_contacts = from_edge || (own_foreign && parse_boolean(*own_foreign).value_or(false)),
                    .now = core_.engine.clock().now(),
                    .settings = settings.registrar,
                    .is_ours = [this](std::string_view host, std::uint16_t port) { return core_.transport.is_ours(host, port); },
                    .is_alive = [this](const stack::FlowId& flow) { return core_.transport.alive(flow); }};
  auto changes = plan_changes(asked, table_);
  if (changes) job.work.begin(std::move(*changes), {asked.max_contacts, settings.registrar.max_contacts_policy});
  else job.refusal = std::move(changes.error());
}

void Registrar::finish(Job& job, const IncomingRequest* request) {
  if (const auto& refusal = job.refusal ? job.refusal : job.work.refusal()) return refuse(job, *refusal, request);
  enter(job.work.apply());
  if (job.work.store_is_shared()) note_shared();
  if (!request) return;
  answer_bindings(*request, job, false);
  registered(job, request->flow.remote, request->message.call_id());
}

void Registrar::registered(const Job& job, const net::Address& source, std::string_view call_id) {
  registered_.add();
  if (core_.log.enabled(LogLevel::debug))
    core_.log.debug("event=registered user={} address={} callid={}", log_value(job.work.username()), source.text(), log_value(call_id));
}

void Registrar::refuse(const Job& job, const Refusal& refusal, const IncomingRequest* request) {
  const auto& source = request ? request->flow.remote : job.source;
  failed_.add();
  core_.log.info("event=registration-refused user={} code={} address={}", log_value(job.work.username()), refusal.code,
                 source.empty() ? "-" : source.text());
  if (source.empty()) return;
  if (core_.guard)
    core_.guard->last_failures().note(job.work.username(), core_.engine.clock().wall(), source,
                                      fmt::format("REGISTER refused with {} {}", refusal.code, refusal.phrase.empty() ? reason_phrase(refusal.code) : std::string_view(refusal.phrase)));
  const auto headers = [&](Writer& writer) {
    if (refusal.min_expires) writer.header(HeaderId::min_expires, static_cast<unsigned long>(refusal.min_expires));
    if (!refusal.require.empty()) writer.header(HeaderId::require, refusal.require);
  };
  if (request) answer(core_, *request, job.transaction, refusal.code, refusal.phrase, headers);
  else refuse_held(core_, job.held, refusal.code, refusal.phrase, headers);
}

// Calls see what was agreed to; who else has to do with this user waits in line until it is certain.
void Registrar::hold(std::unique_ptr<Job> job, const IncomingRequest& request) {
  job->effects = job->work.apply();
  if (job->work.store_is_shared()) note_shared();
  answer_bindings(request, *job, true);
  job->source = request.flow.remote;
  if (core_.log.enabled(LogLevel::debug)) job->call_id = request.message.call_id();
  job->recall.reset();
  job->work.forget_message();
  watch_clock();
  busy_.try_emplace(job->work.username());
  answer_when_durable(std::move(job));
}

void Registrar::answer_when_durable(std::unique_ptr<Job> job) {
  auto proviso = std::move(job->provisos.back());
  job->provisos.pop_back();
  const auto durability = proviso->durable;
  durability.then([this, alive = std::weak_ptr(alive_), proviso = std::move(proviso), job = std::move(job)](const std::string& error) mutable {
    if (alive.expired()) return;
    if (!error.empty()) not_durable(std::move(job), {proviso->code, std::string(proviso->reason)});
    else if (!job->provisos.empty()) answer_when_durable(std::move(job));
    else durable(std::move(job));
  });
}

void Registrar::durable(std::unique_ptr<Job> job) {
  core_.transactions.release(job->held);
  registered(*job, job->source, job->call_id);
  for (const auto& binding : job->effects.gone) release(*binding);  // what entered came in a datagram: nobody holds its flow
  next_in_line(job->work.username());
}

void Registrar::not_durable(std::unique_ptr<Job> job, const Refusal& refusal) {
  const auto username = job->work.username();
  job->provisos.clear();
  for (const auto& binding : job->work.take_back(std::move(job->effects), refusal)) release(*binding);
  if (start(std::move(job), nullptr)) next_in_line(username);
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

void Registrar::answer_bindings(const IncomingRequest& request, Job& job, bool held) {
  const auto now = core_.engine.clock().now();
  const auto headers = [&](Writer& writer) {
    std::size_t listed = 0;
    bool told_nat = false;
    std::string contact;
    contact.reserve(128);  // longer ones grow
    const auto list = [&](const Binding& binding) {
      if (binding.expired(now) || listed > kListedBytes) return;
      contact.clear();
      append_contact(contact, binding, now);
      if ((listed += contact.size()) <= kListedBytes) writer.header(HeaderId::contact, contact);
    };
    const auto is_own = [&](const Binding& binding) {
      return binding.facts().cseq == request.message.cseq()->number && binding.call_id() == request.message.call_id();
    };
    // Of a store that several servers share, what it keeps; else what we do (D8).
    const auto user = table_.user(job.work.username());
    const auto each = [&](const auto& visit) {
      if (const auto& listed = job.work.listed())
        for (const auto& one : *listed) visit(*one.binding);
      else table_.each_of(user, [&](BindingId, const Binding& binding) { visit(binding); });
    };
    // What this REGISTER is about comes first: of very many or very long ones the last are left out.
    each([&](const Binding& binding) {
      if (!is_own(binding)) return;
      list(binding);
      if (binding.facts().behind_nat && !std::exchange(told_nat, true)) add_nat_headers(writer, binding);
    });
    each([&](const Binding& binding) {
      if (!is_own(binding)) list(binding);
    });
    writer.header(HeaderId::date, date());  // §10.3 step 8
    writer.copy_all(request.message, HeaderId::path);
    for (const auto& [name, value] : job.work.reply_headers()) writer.header(name, value);
  };
  if (held) job.held = hold_answer(core_, request, 200, headers);
  else answer(core_, request, job.transaction, 200, {}, headers, Keep::yes);
}

// As Yate tells a phone how it is seen from outside (COMPAT §12).
void Registrar::add_nat_headers(Writer& writer, const Binding& binding) const {
  const auto& settings = core_.settings->registrar;
  if (settings.keepalive != sip::Keepalive::none)
    writer.header("P-NAT-Refresh", fmt::format_int(std::chrono::ceil<std::chrono::seconds>(settings.nat_refresh).count()).c_str());
  std::string seen("<");
  writer.header("X-Real-Contact", seen.append(binding.data()).append(1, '>'));
}

/// Of this second (RFC 3261 §20.17): made once for all answers in it.
std::string_view Registrar::date() {
  const auto second = std::chrono::floor<std::chrono::seconds>(core_.engine.clock().wall());
  if (date_.empty() || second != date_of_) {
    date_of_ = second;
    date_ = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(std::chrono::system_clock::to_time_t(second)));
  }
  return date_;
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
  BindingTarget target{.flow = flow, .request_uri = std::string(binding->contact()), .route = {}};
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

Registrar::Restored Registrar::restore_all(const messages::StoredBindings& stored, bool shared) {
  Restored restored;
  stored.each([&](const messages::StoredBinding& each) {
    ++restored.seen;
    auto binding = restore(core_, each);
    // What phones said since is newer than what the store remembers.
    if (!binding || table_.find(binding->username(), binding->key())) return;
    if (core_.guard && binding->facts().flow) core_.guard->proved(binding->facts().flow);
    binding->set_shared(shared);
    table_.put(std::move(binding));
    ++restored.entered;
  });
  if (restored.entered) watch_clock();
  return restored;
}

void Registrar::recall_all() {
  auto message = std::make_shared<jackfield::Message>(messages::kUserBindings.name, core_.engine.clock().wall());
  message->set_broadcast(true);
  message->set(param::kRealm, core_.settings->realm);
  const auto take = [this](const jackfield::Message& answer) {
    const auto* stored = answer.payload<messages::StoredBindings>();
    if (!stored) return;
    const bool shared = answer.flag(param::kShared);
    if (shared) note_shared();
    const auto restored = restore_all(*stored, shared);
    core_.log.info("event=bindings-restored count={} of={}", restored.entered, restored.seen);
  };
  auto verdict = core_.engine.bus().dispatch(*message);
  if (verdict.immediate()) return take(*message);
  core_.engine.spawn("sip.recall", wait_for_recall(alive_, message, std::move(verdict), take));
}

Task<> Registrar::wait_for_recall(std::weak_ptr<void> alive, std::shared_ptr<jackfield::Message> message, Verdict verdict,
                                  std::function<void(const jackfield::Message&)> take) {
  co_await settle(std::move(verdict));
  if (!alive.expired()) take(*message);
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
