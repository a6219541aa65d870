// How an account's connections come and go. A connection that broke is made anew at once, unless it broke right away; one that cannot be
// made is tried again with back-off, for ever.
#include "database/account_impl.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace jackfield::database {
namespace {

using namespace std::chrono_literals;

/// One that stood for less counts as one that could not be made.
constexpr Duration kStood = 1s;
constexpr int kMostDoublings = 20;

}  // namespace

void Account::Impl::order(Link& link) {
  if (stopped || link.open || std::exchange(link.ordered, true)) return;
  link.worker->order_connection();
}

void Account::Impl::retry_later(Link& link) {
  const auto back_off = std::min(options.reconnect_most, options.reconnect_first * (std::int64_t{1} << std::min(link.failures, kMostDoublings)));
  ++link.failures;
  // Up to a quarter more: many servers that lost the same database do not come back as one.
  const auto spread = static_cast<std::int64_t>(engine.random().next() % static_cast<std::uint64_t>(back_off.count() / 4 + 1));
  link.retry = engine.timers().start(sink, static_cast<std::uint64_t>(&link - links.data()), back_off + Duration(spread));
}

void Account::Impl::handle(const LinkEvent& event) {
  if (stopped) return;
  Link& link = links[static_cast<std::size_t>(event.worker)];
  switch (event.kind) {
    case LinkEvent::Kind::opened: return opened(link, event.text);
    case LinkEvent::Kind::refused: return refused(link, event.text);
    case LinkEvent::Kind::broken: return broken(link, event.text);
  }
}

void Account::Impl::opened(Link& link, const std::string& where) {
  link.ordered = false;
  link.open = true;
  link.since = engine.clock().now();
  Branch& branch = *link.branch;
  const bool first = branch.open++ == 0;
  branch.failing = false;
  if (first && &branch == (options.separate_writer ? &writing : &reading)) {
    log.info("event=connected account={} to={}", log_value(options.name), log_value(where));
  }
  if (&branch != &writing) return;
  reading.failing = false;
  for (Link& reader : links) {
    if (reader.branch == &reading && reader.failures == 0) order(reader);
  }
}

void Account::Impl::refused(Link& link, const std::string& reason) {
  link.ordered = false;
  ++counted.refused_connects;
  metrics.refused_connects.add();
  if (link.failures == 0 || reason != trouble) {
    log.error("event=not_connected account={} reason={}", log_value(options.name), log_value(reason));
  }
  trouble = reason;
  retry_later(link);
  Branch& branch = *link.branch;
  if (branch.open == 0) fail(branch);
  // Readers that wait for the writer have nobody else to wait for.
  if (&branch == &writing && reading.open == 0) fail(reading);
}

void Account::Impl::broken(Link& link, const std::string& reason) {
  ++counted.breaks;
  metrics.lost.add();
  link.open = false;
  --link.branch->open;
  trouble = reason;
  log.error("event=connection_lost account={} reason={}", log_value(options.name), log_value(reason));
  if (engine.clock().now() - link.since >= kStood) {
    link.failures = 0;
    order(link);
  } else if (link.failures == 0) {
    // Once may be our own doing: a query that hung was cut off. Who waits learns from the next attempt how things stand.
    link.failures = 1;
    order(link);
  } else {
    retry_later(link);
    if (link.branch->open == 0) fail(*link.branch);
  }
}

/// Answers whoever waits there.
void Account::Impl::fail(Branch& branch) {
  branch.failing = true;
  auto waiting = branch.lane.take_all();
  waiting.insert(waiting.end(), std::make_move_iterator(branch.asked.begin()), std::make_move_iterator(branch.asked.end()));
  branch.asked.clear();
  for (const auto& request : waiting) {
    --outstanding;
    if (request->abandoned()) continue;
    Answer answer;
    answer.failure = Failure::away;
    answer.error = trouble;
    count(answer);
    (void)pendings.complete<Answer>(request->id, std::move(answer));
  }
}

}  // namespace jackfield::database
