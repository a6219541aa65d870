#include "database/account_impl.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace jackfield::database {
namespace {

using namespace std::chrono_literals;

constexpr Duration kReportEvery = 1s;

Answer failed(Failure failure, std::string error) {
  Answer answer;
  answer.failure = failure;
  answer.error = std::move(error);
  return answer;
}

Task<Answer> answered(Answer answer) { co_return answer; }

Task<Answer> wait_for(Pending<Answer> pending, std::shared_ptr<Request> request, std::weak_ptr<Account::Impl> account, Duration deadline) {
  auto waiting = pending.wait();
  auto outcome = co_await std::move(waiting);
  if (outcome) co_return std::move(*outcome);
  if (outcome.error().kind == PendingError::Kind::late) {
    if (const auto impl = account.lock()) co_return impl->give_up(*request, deadline);
  }
  request->abandon();
  const bool begun = request->begun.load();
  co_return failed(begun ? Failure::late : Failure::away, begun ? "stopped before the answer came; it may have been written" : "stopped before it was run");
}

Account::Impl::Metrics make_metrics(Engine& engine, const std::string& module, const std::string& account) {
  const MetricLabels labels{{"account", account}};
  const auto counter = [&](std::string_view what, const char* help) -> Counter& {
    return engine.metrics().counter(fmt::format("jackfield_{}_{}_total", module, what), help, labels);
  };
  return {.queries = counter("queries", "Queries asked."),
          .away = counter("queries_away", "Queries answered `away`: nothing was written."),
          .late = counter("queries_late", "Queries not answered within their deadline."),
          .refused = counter("queries_refused", "Queries that the database refused."),
          .repeated = counter("queries_repeated", "Runs again after a group that was rolled back, a deadlock or a broken connection."),
          .lost = counter("connections_lost", "Connections that broke."),
          .refused_connects = counter("connections_refused", "Connections that could not be made."),
          .gauges = {}};
}

}  // namespace

Account::Impl::Impl(Engine& engine_in, std::string_view module_in, AccountOptions options_in, ConnectionFactory factory_in)
    : engine(engine_in),
      log(engine_in.log(module_in)),
      module(module_in),
      options(std::move(options_in)),
      factory(std::move(factory_in)),
      pendings(engine_in.timers()),
      sink(engine_in.timers().add_sink([this](std::uint64_t link) { order(links[link]); })),
      outbox([this] {
        engine.post([weak = weak_from_this()] {
          if (const auto self = weak.lock()) self->collect();
        });
      }),
      metrics(make_metrics(engine_in, module, options.name)) {
  const auto gauge = [this](std::string_view what, const char* help, std::function<double()> read) {
    metrics.gauges.push_back(engine.metrics().gauge(fmt::format("jackfield_{}_{}", module, what), help, {{"account", options.name}}, std::move(read)));
  };
  gauge("waiting_count", "Queries without an answer.", [this] { return static_cast<double>(outstanding); });
  gauge("connections_count", "Open connections.", [this] { return static_cast<double>(reading.open + writing.open); });
  gauge("away_count", "1 while no connection can be made.", [this] { return state() == State::away ? 1.0 : 0.0; });
  gauge("batch_queries_ratio", "How many queries a batch has had on average.", [this] {
    const auto done = statistics();
    return done.batches == 0 ? 0.0 : static_cast<double>(done.runs) / static_cast<double>(done.batches);
  });
  gauge("busy_seconds", "For how long connections have run queries.", [this] { return std::chrono::duration<double>(statistics().busy).count(); });
}

Account::Impl::~Impl() { engine.timers().remove_sink(sink); }

void Account::Impl::start() {
  if (!links.empty() || stopped) return;
  links.resize(options.connections + (options.separate_writer ? 1 : 0));
  for (std::size_t i = 0; i < links.size(); ++i) {
    const bool writer = options.separate_writer && i + 1 == links.size();
    links[i].branch = writer ? &writing : &reading;
    auto connection = factory(writer ? Role::writer : options.separate_writer ? Role::reader : Role::any);
    links[i].worker = std::make_unique<Worker>(static_cast<int>(i), links[i].branch->lane, options.separate_writer ? &writing.lane : nullptr, outbox,
                                               std::move(connection), WorkerOptions{.retry = options.retry, .max_batch = options.max_batch});
    // What only reads waits for the writer, which makes what there is to read.
    if (writer || !options.separate_writer) order(links[i]);
  }
}

Task<Answer> Account::Impl::ask(const Question& question) {
  ++counted.total;
  metrics.queries.add();
  if (stopped) return answered(failed(Failure::away, "the account is closed"));
  start();
  Branch& branch = branch_for(*question.query);
  if (branch.failing || outstanding >= options.max_waiting) {
    auto answer = failed(Failure::away, branch.failing ? trouble : fmt::format("{} queries wait already (max_waiting)", outstanding));
    count(answer);
    return answered(std::move(answer));
  }
  const auto deadline = question.deadline > Duration(0) ? question.deadline : options.timeout;
  auto request = std::make_shared<Request>(question.query, question.values, cut_off);
  request->wants_rows = question.wants_rows;
  request->idempotency_key = question.idempotency_key;
  auto pending = pendings.open<Answer>(deadline);
  request->id = pending.id();
  ++outstanding;
  branch.asked.push_back(request);
  // At the end of the turn: what one turn asks goes to the workers together.
  if (!std::exchange(submit_posted, true)) {
    engine.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->submit();
    });
  }
  return wait_for(std::move(pending), std::move(request), weak_from_this(), deadline);
}

void Account::Impl::submit() {
  submit_posted = false;
  for (Branch* branch : {&reading, &writing}) {
    if (branch->failing) fail(*branch);
    else if (!branch->asked.empty()) branch->lane.push(branch->asked);
  }
}

void Account::Impl::collect() {
  auto mail = outbox.collect();
  for (const auto& request : mail.finished) {
    --outstanding;
    // Nobody waits for it; given up at its deadline, it has been counted then.
    if (request->outcome != Outcome::answered || (request->abandoned() && !stopped)) continue;
    count(request->answer);
    (void)pendings.complete<Answer>(request->id, std::move(request->answer));
  }
  for (const auto& event : mail.events) handle(event);
}

void Account::Impl::count(const Answer& answer) {
  switch (answer.failure) {
    case Failure::none: return;
    case Failure::away: ++counted.failed, metrics.away.add(); break;
    case Failure::late: ++counted.failed, metrics.late.add(); break;
    case Failure::query:
    case Failure::value: ++counted.errors, metrics.refused.add(); break;
  }
  report(answer);
}

/// One line a second at most: what fails once may fail for each registration.
void Account::Impl::report(const Answer& answer) {
  const auto now = engine.clock().now();
  if (reported && now - *reported < kReportEvery) {
    ++unreported;
    return;
  }
  reported = now;
  log.warning("event=query_failed account={} failure={} reason={} more={}", log_value(options.name), failure_name(answer.failure), log_value(answer.error),
              std::exchange(unreported, 0));
}

Answer Account::Impl::give_up(Request& request, Duration deadline) {
  request.abandon();
  auto reason = obstacle(request);
  // After abandon(): either the worker sees it, or we see the worker.
  if (const int worker = request.worker.load(); worker >= 0 && !stopped) links[static_cast<std::size_t>(worker)].worker->interrupt();
  auto answer = failed(Failure::late, reason.empty() ? fmt::format("no answer within {} ms", deadline.count())
                                                     : fmt::format("no answer within {} ms: {}", deadline.count(), reason));
  count(answer);
  return answer;
}

std::string Account::Impl::obstacle(const Request& request) const {
  const Branch& branch = const_cast<Impl*>(this)->branch_for(request.query());
  for (const Link& link : links) {
    if (link.branch != &branch || !link.worker) continue;
    if (auto reason = link.worker->waits_for(); !reason.empty()) return reason;
  }
  return branch.open == 0 ? "there is no connection yet" : "";
}

Account::State Account::Impl::state() const {
  if (links.empty()) return State::idle;
  if (reading.failing || writing.failing) return State::away;
  return reading.open > 0 && (writing.open > 0 || !options.separate_writer) ? State::up : State::connecting;
}

Statistics Account::Impl::statistics() const {
  Statistics all = counted;
  for (const Link& link : links) {
    if (!link.worker) continue;
    const auto& counts = link.worker->counts();
    all.runs += counts.runs.load(std::memory_order_relaxed);
    all.batches += counts.batches.load(std::memory_order_relaxed);
    all.repeated += counts.repeated.load(std::memory_order_relaxed);
    all.busy += std::chrono::nanoseconds(counts.busy_ns.load(std::memory_order_relaxed));
  }
  all.waiting = outstanding;
  all.connections = reading.open + writing.open;
  all.wanted_connections = static_cast<unsigned>(links.size());
  return all;
}

void Account::Impl::stop(Duration patience) {
  if (std::exchange(stopped, true)) return;
  submit();
  const auto deadline = std::chrono::steady_clock::now() + patience;
  // What a reader hands on to the writer still finds it there.
  for (Branch* branch : {&reading, &writing}) {
    std::unique_lock lock(branch->lane.mutex);
    branch->lane.ending = true;
    branch->lane.changed.notify_all();
    branch->lane.changed.wait_until(lock, deadline, [&] {
      return std::ranges::all_of(links, [&](const Link& link) { return link.branch != branch || link.worker->ended(); });
    });
  }
  cut_off.store(true);
  for (Link& link : links) {
    engine.timers().stop(link.retry);
    link.worker->cut_off();
  }
  for (Link& link : links) link.worker->join();
  collect();
  counted = statistics();
  links.clear();
  reading.open = writing.open = 0;
  outstanding = 0;
  pendings.stop();
}

}  // namespace jackfield::database
