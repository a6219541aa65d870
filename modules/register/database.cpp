#include "database.h"

#include <jackfield/messages/parameters.h>

#include <fmt/format.h>

namespace jackfield::register_module {
namespace param = messages::param;
namespace {

/// A database that was away a moment ago is not waited for by whoever can do without.
constexpr Duration kAwayFor{1000};
/// One line for each section in this time; the others are counted.
constexpr Duration kComplainEvery{10'000};

Answer::Failure failure_in(const Message& asked) {
  const auto failure = asked.get(param::kFailure);
  if (failure == "away") return Answer::Failure::away;
  if (failure == "value") return Answer::Failure::value;
  return failure == "late" ? Answer::Failure::late : Answer::Failure::query;
}

std::string_view word(Answer::Failure failure) {
  switch (failure) {
    case Answer::Failure::none: return "none";
    case Answer::Failure::away: return "away";
    case Answer::Failure::late: return "late";
    case Answer::Failure::query: return "refused";
    case Answer::Failure::value: return "value";
  }
  return {};
}

}  // namespace

std::string account_of(const HandlerSettings& handler, const Values& values) {
  if (handler.account.find("${") == std::string::npos) return handler.account;
  std::string found;
  return substitute(handler.account, [&](std::string_view name) -> std::optional<std::string_view> {
    auto value = values.find(name);
    if (!value) return std::nullopt;
    found = std::move(*value);
    return found;
  });
}

Database::Database(Engine& engine, Logger& log)
    : engine_(engine),
      log_(log),
      pendings_(engine.timers()),
      asked_(engine.metrics().counter("jackfield_register_queries_total", "Questions to the database.")),
      failed_(engine.metrics().counter("jackfield_register_failed_queries_total", "Questions to the database that got no answer, or an error.")),
      from_cache_(engine.metrics().counter("jackfield_register_cached_answers_total", "Answers given from memory because the database was away.")) {}

void Database::reload(std::size_t cache_max) {
  resolved_.clear();
  cache_.set_limit(cache_max);
  kept_contacts_.set_limit(cache_max);
}

Task<bool> Database::pause(Duration time) {
  auto waiting = pendings_.open<bool>(time);
  const auto woken = co_await waiting.wait();
  co_return woken || woken.error().kind != PendingError::Kind::stopped;
}

bool Database::is_away(const std::string& account) const {
  const auto found = away_until_.find(account);
  return found != away_until_.end() && engine_.clock().now() < found->second;
}

void Database::note(const std::string& account, const Answer& answer) {
  if (answer.failure == Answer::Failure::away || answer.failure == Answer::Failure::late) away_until_[account] = engine_.clock().now() + kAwayFor;
  else if (!away_until_.empty()) away_until_.erase(account);
}

Task<Answer> Database::ask(std::shared_ptr<Database> self, Question question) {
  Message asked(messages::kDatabase, self->engine_.clock().wall());
  asked.add(param::kAccount, question.account).add(param::kQuery, question.query);
  if (question.deadline > Duration::zero()) asked.add(param::kDeadline, question.deadline.count());
  if (!question.idempotency_key.empty()) asked.add(param::kIdempotencyKey, question.idempotency_key);
  asked.attach(std::make_shared<messages::QueryValues>(std::move(question.values)));
  self->asked_.add();
  auto verdict = self->engine_.bus().dispatch(asked);
  const bool known = verdict.immediate() ? verdict.handled() : co_await settle(std::move(verdict));

  Answer answer;
  if (!known) {
    answer.failure = Answer::Failure::away;
    answer.error = fmt::format("no loaded module serves the account `{}`", question.account);
  } else if (const auto* error = asked.find(param::kError); error && !error->value.empty()) {
    answer.failure = failure_in(asked);
    answer.error = error->value;
  } else {
    answer.affected = asked.number(param::kAffected);
    if (auto* rows = asked.payload<messages::DatabaseRows>()) answer.rows = std::make_shared<const messages::DatabaseRows>(std::move(*rows));
  }
  if (!answer.good()) self->failed_.add();
  self->note(question.account, answer);
  co_return answer;
}

Task<const Query*> Database::resolve(std::shared_ptr<Database> self, const HandlerSettings* handler, const Query* query, std::string account,
                                     std::shared_ptr<Answer> failed) {
  if (!query->indirect()) co_return query;
  const auto key = fmt::format("{}\n{}", account, query->text());
  if (const auto found = self->resolved_.find(key); found != self->resolved_.end()) co_return found->second.get();
  auto asking = ask(self, Question{.account = std::move(account), .query = query->text().substr(1), .values = {}, .deadline = handler->deadline});
  *failed = co_await std::move(asking);
  if (!failed->good()) co_return nullptr;
  const auto* rows = failed->rows.get();
  if (!rows || rows->size() != 1 || rows->columns.size() != 1 || !rows->cells[0] || rows->cells[0]->empty()) {
    failed->failure = Answer::Failure::query;
    failed->error = fmt::format("`{}` must give one row with one column, the query to use", query->text());
    co_return nullptr;
  }
  co_return self->resolved_.emplace(key, std::make_unique<const Query>(*rows->cells[0])).first->second.get();
}

Task<Answer> Database::ask(std::shared_ptr<Database> self, std::shared_ptr<const RegisterSettings>, const HandlerSettings* handler, const Query* query,
                           Values values) {
  auto account = account_of(*handler, values);
  std::string question;
  messages::QueryValues given;
  auto answer = std::make_shared<Answer>();
  const bool may_cache = handler->on_fail == OnFail::cached && handler->cache_stale > Duration::zero();
  const auto remembered = [&] {
    answer->rows = self->cache_.find(question, self->engine_.clock().now(), handler->cache_stale);
    if (!answer->rows) return false;
    self->from_cache_.add();
    answer->failure = Answer::Failure::none;
    answer->cached = true;
    return true;
  };

  const Query* real = query;
  if (query->indirect()) {  // others are spared a coroutine
    auto resolving = resolve(self, handler, query, account, answer);
    real = co_await std::move(resolving);
  }
  if (real != nullptr) {
    given = values.of(*real);
    if (may_cache) question = cache_key(handler->section, account, given);
    if (may_cache && self->is_away(account) && remembered()) co_return std::move(*answer);
    auto asking = ask(self, Question{.account = account, .query = real->text(), .values = std::move(given), .deadline = handler->deadline});
    *answer = co_await std::move(asking);
    if (answer->good() && may_cache) self->cache_.keep(question, answer->rows, self->engine_.clock().now());
  }
  if (answer->good()) co_return std::move(*answer);
  self->complain(*handler, account, *answer);
  const bool gone = answer->failure == Answer::Failure::away || answer->failure == Answer::Failure::late;
  if (may_cache && gone && !question.empty()) remembered();
  co_return std::move(*answer);
}

void Database::complain(const HandlerSettings& handler, const std::string& account, const Answer& answer) {
  auto& complaint = complaints_[handler.section];
  const auto now = engine_.clock().now();
  if (now < complaint.next) {
    ++complaint.kept_back;
    return;
  }
  log_.error("event=no-answer section={} account={} failure={} reason={} more={}", handler.section, log_value(account), word(answer.failure),
             log_value(answer.error), complaint.kept_back);
  complaint = {now + kComplainEvery, 0};
}

}  // namespace jackfield::register_module
