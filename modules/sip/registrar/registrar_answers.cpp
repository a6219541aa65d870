// What the registrar answers: the list of a user's bindings, at once or once the disk has them, or why there is none.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <utility>

#include "answer.h"
#include "call/own_headers.h"
#include "guard/guard.h"
#include "registrar/registrar.h"

namespace jackfield::sip::registrar {

namespace {

using stack::IncomingRequest;

constexpr std::size_t kListedBytes = 24 * 1024;  // of Contact headers in a 200: it fits into a datagram, and phones read it

void append_contact(std::string& out, const Binding& binding, MonoTime now) {
  out.append(1, '<').append(binding.contact()).append(">;expires=").append(fmt::format_int(binding.remaining(now)).c_str());
  const auto& facts = binding.facts();
  if (facts.q != BindingFacts::kNoQ) out += fmt::format(";q={}.{:03}", facts.q / 1000, facts.q % 1000);
  if (!binding.instance().empty()) out.append(";+sip.instance=\"").append(binding.instance()).append(1, '"');
  if (facts.reg_id) out += fmt::format(";reg-id={}", facts.reg_id);
}

}  // namespace

void Registrar::registered(const Job& job, const net::Address& source, std::string_view call_id) {
  registered_.add();
  if (core_.log.enabled(LogLevel::debug))
    core_.log.debug("event=registered user={} address={} callid={}", log_value(job.work.username()), source.text(), log_value(call_id));
}

void Registrar::note_refusal(const std::string& username, const Refusal& refusal, const net::Address& source) {
  if (refusal.code == 401 || refusal.code == 407) return;  // another server's challenge
  failed_.add();
  core_.log.info("event=registration-refused user={} code={} address={}", log_value(username), refusal.code, source.empty() ? "-" : source.text());
  if (source.empty() || !core_.guard) return;
  core_.guard->last_failures().note(username, core_.engine.clock().wall(), source,
                                    fmt::format("REGISTER refused with {} {}", refusal.code, refusal.phrase.empty() ? reason_phrase(refusal.code) : std::string_view(refusal.phrase)));
}

void Registrar::refuse(const Job& job, const Refusal& refusal, const IncomingRequest* request) {
  const auto& source = request ? request->flow.remote : job.source;
  note_refusal(job.work.username(), refusal, source);
  if (source.empty()) return;
  const auto headers = [&](Writer& writer) { write_headers(writer, refusal); };
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
  job->question.reset();
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
    if (job.agreement) call::write(writer, job.agreement->headers);
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

}  // namespace jackfield::sip::registrar
