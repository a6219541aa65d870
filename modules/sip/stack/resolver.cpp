#include "stack/resolver.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace jackfield::sip::stack {

namespace {

using std::chrono::seconds;

constexpr seconds kShortest{1}, kLongest{86400}, kLongestAbsence{3600};
constexpr seconds kFailureHolds{5};  // so that many calls at once do not each wait for a dead name server
constexpr seconds kStaleHolds{30};   // RFC 8767 §4
constexpr std::size_t kMaxQuestions = 128;  // of one resolution
constexpr std::size_t kMaxOpen = 10000;

Counter& questions(Engine& engine) { return engine.metrics().counter("jackfield_sip_dns_questions_total", "Questions asked of name servers."); }
Counter& failures(Engine& engine) { return engine.metrics().counter("jackfield_sip_dns_failures_total", "Questions that no name server answered."); }

}  // namespace

Resolver::Resolver(Engine& engine, ResolverOptions options, std::unique_ptr<Dns> dns, Reaches reaches)
    : engine_(engine), options_(options), dns_(std::move(dns)), reaches_(std::move(reaches)), pendings_(engine.timers()) {
  questions(engine_), failures(engine_);  // there from the start, at 0
  timers_ = engine_.timers().add_sink([this](std::uint64_t id) {
    if (const auto found = lookups_.find(id); found != lookups_.end())
      finish(id, verdict(found->second.destination, look(found->second.destination, &found->second, Lacking::is_failure)));
  });
}

Resolver::~Resolver() {
  stop();
  engine_.timers().remove_sink(timers_);
}

void Resolver::stop() {
  alive_.reset();
  lookups_.clear();
  asked_.clear();
  pendings_.stop();
  dns_.reset();
}

void Resolver::configure(ResolverOptions options, std::unique_ptr<Dns> dns) {
  options_ = options;
  if (!dns) return;
  dns_ = std::move(dns);
  entries_.clear();
  order_.clear();
  // What was asked of the old ones is asked again of the new.
  const auto open = std::exchange(asked_, {});
  for (const auto& [question, askers] : open)
    for (const auto asker : askers) ask(question, asker);
}

Resolver::AnswerPointer Resolver::kept_answer(const DnsQuestion& question) {
  const auto found = entries_.find(question);
  if (found == entries_.end()) return nullptr;
  if (found->second.until <= engine_.clock().now()) return nullptr;
  order_.splice(order_.begin(), order_, found->second.used);
  return found->second.answer;
}

Located Resolver::look(const Destination& destination, Lookup* lookup, Lacking lacking) {
  static const DnsAnswer kTooLate{.status = DnsAnswer::Status::failed, .problem = "the name servers did not answer in time"};
  std::vector<AnswerPointer> held;  // for the length of the walk
  return locate(
      destination,
      [&](const DnsQuestion& question) -> const DnsAnswer* {
        if (lookup)
          if (const auto seen = lookup->seen.find(question); seen != lookup->seen.end()) return seen->second.get();
        auto answer = kept_answer(question);
        if (!answer && lacking == Lacking::is_failure) {
          const auto lapsed = entries_.find(question);
          if (lapsed == entries_.end()) return &kTooLate;
          answer = lapsed->second.answer;
        }
        if (!answer) return nullptr;
        if (lookup) lookup->seen.emplace(question, answer);
        held.push_back(std::move(answer));
        return held.back().get();
      },
      reaches_, engine_.random());
}

Resolved Resolver::verdict(const Destination& destination, Located located) {
  if (!located.resolution.hops.empty()) return std::move(located.resolution);
  if (!located.problem.empty()) return tl::unexpected(fmt::format("Where {} is cannot be found out: {}", destination.host, located.problem));
  return tl::unexpected(fmt::format("DNS knows no address of {} that a listener of ours reaches", destination.host));
}

std::optional<Resolved> Resolver::known(const Destination& destination) {
  auto located = look(destination, nullptr, Lacking::is_open);
  if (!located.unknown.empty()) return std::nullopt;
  return verdict(destination, std::move(located));
}

ResolveId Resolver::resolve(Destination destination, Done done) {
  const auto id = ++last_;
  auto& lookup = lookups_[id];
  lookup.destination = std::move(destination);
  lookup.done = std::move(done);
  lookup.deadline = engine_.timers().start(timers_, id, options_.deadline);
  engine_.post([this, alive = std::weak_ptr<void>(alive_), id] {
    if (!alive.expired()) go_on(id);
  });
  return id;
}

void Resolver::cancel(ResolveId id) {
  const auto found = lookups_.find(id);
  if (found == lookups_.end()) return;
  engine_.timers().stop(found->second.deadline);
  lookups_.erase(found);
}

Task<Resolved> Resolver::resolved(Destination destination) {
  if (auto at_once = known(destination)) co_return std::move(*at_once);
  auto pending = pendings_.open<Resolved>(options_.deadline + Duration(1000));
  resolve(std::move(destination), [this, id = pending.id()](const Resolved& resolved) { pendings_.complete<Resolved>(id, resolved); });
  auto answer = co_await pending.wait();
  if (answer) co_return std::move(*answer);
  co_return tl::unexpected(std::string("Nobody looks up names any more"));
}

void Resolver::go_on(ResolveId id) {
  const auto found = lookups_.find(id);
  if (found == lookups_.end()) return;
  auto& lookup = found->second;
  auto located = look(lookup.destination, &lookup, Lacking::is_open);
  if (located.unknown.empty()) return finish(id, verdict(lookup.destination, std::move(located)));
  lookup.asked += located.unknown.size();
  if (lookup.asked > kMaxQuestions || lookups_.size() > kMaxOpen)
    return finish(id, tl::unexpected(fmt::format("Where {} is takes too many questions", lookup.destination.host)));
  for (const auto& question : located.unknown) ask(question, id);
}

void Resolver::ask(const DnsQuestion& question, ResolveId asker) {
  const auto [found, fresh] = asked_.try_emplace(question);
  auto& askers = found->second;
  if (std::ranges::find(askers, asker) == askers.end()) askers.push_back(asker);
  if (!fresh || !dns_) return;
  questions(engine_).add();
  dns_->ask(question.first, question.second, [this, alive = std::weak_ptr<void>(alive_), question](DnsAnswer answer) {
    if (!alive.expired()) answered(question, std::move(answer));
  });
}

void Resolver::answered(const DnsQuestion& question, DnsAnswer answer) {
  const auto found = asked_.find(question);
  if (found == asked_.end()) return;
  const auto askers = std::move(found->second);
  asked_.erase(found);

  using Status = DnsAnswer::Status;
  if (answer.status == Status::failed) failures(engine_).add();
  seconds holds = kFailureHolds;
  if (answer.status == Status::found) holds = std::clamp(answer.ttl, kShortest, kLongest);
  if (answer.status == Status::none) holds = std::clamp(answer.ttl, kShortest, kLongestAbsence);
  answer.ttl = holds;
  auto kept = std::make_shared<const DnsAnswer>(std::move(answer));
  if (kept->status == Status::failed)
    if (const auto old = entries_.find(question); old != entries_.end() && old->second.answer->status == Status::found) kept = old->second.answer, holds = kStaleHolds;
  keep(question, kept, holds);

  for (const auto id : askers) {
    const auto lookup = lookups_.find(id);
    if (lookup == lookups_.end()) continue;
    lookup->second.seen[question] = kept;
    go_on(id);
    if (!alive_) return;
  }
}

void Resolver::keep(const DnsQuestion& question, const AnswerPointer& answer, seconds ttl) {
  const auto until = engine_.clock().now() + ttl;
  if (const auto found = entries_.find(question); found != entries_.end()) {
    found->second.answer = answer;
    found->second.until = until;
    order_.splice(order_.begin(), order_, found->second.used);
    return;
  }
  while (entries_.size() >= options_.max_entries && !order_.empty()) {
    entries_.erase(order_.back());
    order_.pop_back();
  }
  order_.push_front(question);
  entries_.emplace(question, Entry{answer, until, order_.begin()});
}

void Resolver::finish(ResolveId id, const Resolved& resolved) {
  const auto found = lookups_.find(id);
  if (found == lookups_.end()) return;
  engine_.timers().stop(found->second.deadline);
  const auto done = std::move(found->second.done);
  lookups_.erase(found);
  done(resolved);
}

}  // namespace jackfield::sip::stack
