// Which requests share a transaction, and what each of them is told when it does not work.
#include "sqlite_connection.h"

#include "database/applied.h"

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::sqlitedb {
namespace {

using namespace std::chrono_literals;
using database::Failure;
using database::Outcome;
using database::Request;

constexpr auto kForgetEvery = 1h;

std::int64_t seconds_now() { return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

bool has_transaction(sqlite3* db) { return sqlite3_get_autocommit(db) == 0; }

}  // namespace

void SqliteConnection::run_read(Request& request) {
  Request* const alone[] = {&request};
  waiting_ = alone;
  now_ = &request;
  only_reading_ = true;
  if (const auto trouble = run_request(request)) refuse(request, *trouble);
  else if (request.outcome == Outcome::elsewhere) request.query().writes.store(true, std::memory_order_relaxed);
  else request.succeed();
  only_reading_ = false;
  now_ = nullptr;
  waiting_ = {};
}

void SqliteConnection::run_outside(Request& request) {
  if (!request.idempotency_key.empty()) return request.fail(Failure::query, "a query with an idempotency key may not handle transactions itself");
  Request* const alone[] = {&request};
  waiting_ = alone;
  now_ = &request;
  request.reset();
  const auto trouble = run_request(request);
  now_ = nullptr;
  if (trouble) refuse(request, *trouble);
  else request.succeed();
  if (has_transaction(db_.get())) {
    (void)step(rollback_);
    if (!trouble) request.fail(Failure::query, "the query left its transaction open; it was rolled back");
  }
  waiting_ = {};
}

void SqliteConnection::run_group(Batch group) {
  waiting_ = group;
  for (auto* request : group) request->reset();
  auto gone = step(begin_);
  for (auto* request : group) {
    if (gone) break;
    if (request->abandoned()) continue;
    now_ = request;
    // A single statement that fails undoes itself.
    const bool simple = request->idempotency_key.empty() && request->query().text.statements() == 1;
    const auto trouble = simple ? run_request(*request) : run_in_savepoint(*request);
    now_ = nullptr;
    if (!trouble) request->succeed();
    else if (trouble->group_gone || !has_transaction(db_.get())) gone = trouble;
    else refuse(*request, *trouble);
  }
  if (!gone) gone = step(commit_);
  if (gone) give_up_group(group, *gone);
  waiting_ = {};
}

/// A verdict of one's own stands; all others are told that nothing of theirs stays, and are run one by one.
void SqliteConnection::give_up_group(Batch group, const Trouble& trouble) {
  if (has_transaction(db_.get())) (void)step(rollback_);
  if (trouble.broken) broken_ = trouble.text;
  for (auto* request : group) {
    if (request->outcome == Outcome::answered && request->answer.failure != Failure::none) continue;
    request->reset();
    if (request->abandoned()) continue;
    if (trouble.in_doubt) request->outcome = Outcome::in_doubt;
    else if (group.size() > 1) request->run_again(trouble.failure, trouble.text);
    else refuse(*request, trouble);
  }
}

void SqliteConnection::refuse(Request& request, const Trouble& trouble) {
  if (trouble.broken) broken_ = trouble.text;
  if (trouble.again) request.run_again(trouble.failure, trouble.text);
  else request.fail(trouble.failure, trouble.text);
}

std::optional<Trouble> SqliteConnection::run_in_savepoint(Request& request) {
  if (auto trouble = step(savepoint_)) return trouble;
  bool applied = false;
  std::optional<Trouble> trouble;
  if (!request.idempotency_key.empty()) trouble = note_key(request, applied);
  if (!trouble && !applied) trouble = run_request(request);
  if (!trouble) return step(release_);
  // Where the whole transaction is gone, so is this.
  if (has_transaction(db_.get())) {
    if (auto worse = step(rollback_to_)) return worse;
    if (auto worse = step(release_)) return worse;
  }
  return trouble;
}

std::optional<Trouble> SqliteConnection::note_key(const Request& request, bool& applied) {
  for (bool second = false;; second = true) {
    auto trouble = note_ ? std::nullopt : prepare_note();
    if (!trouble) {
      const auto& key = request.idempotency_key;
      sqlite3_bind_text(note_.get(), 1, key.data(), static_cast<int>(key.size()), SQLITE_STATIC);
      sqlite3_bind_int64(note_.get(), 2, seconds_now());
      const auto before = sqlite3_total_changes64(db_.get());
      trouble = step(note_);
      applied = !trouble && sqlite3_total_changes64(db_.get()) == before;
    }
    if (!trouble) {
      has_applied_ = true;
      return {};
    }
    if (second || trouble->failure != Failure::query) return trouble;
    // The table is not there, or was made in a transaction that was rolled back.
    note_.reset();
    if (auto refused = execute(std::string(database::kCreateApplied))) return refused;
  }
}

std::optional<Trouble> SqliteConnection::prepare_note() {
  const auto query = sql::QueryTemplate::parse(database::kNoteApplied, sql::Dialect::sqlite);
  std::string unused;
  std::string_view text = *query->render_bound(std::vector<sql::Value>(query->names().size()), unused);
  auto next = prepare_next(db_.get(), text, true);
  if (next.code != SQLITE_OK) return trouble(next.code);
  note_ = std::move(next.statement);
  return {};
}

/// Once an hour. When it does not work it is tried again then.
void SqliteConnection::forget_applied() {
  const auto now = std::chrono::steady_clock::now();
  if (!has_applied_ || (forgotten_.time_since_epoch().count() != 0 && now - forgotten_ < kForgetEvery)) return;
  forgotten_ = now;
  const auto query = sql::QueryTemplate::parse(database::kForgetApplied, sql::Dialect::sqlite);
  const auto before = std::to_string(seconds_now() - settings_->applied_keep.count());
  const sql::Value values[] = {before};
  (void)execute(*query->render_escaped(values));
}

}  // namespace jackfield::sqlitedb
