// A request's statements: prepared once and kept, their parameters bound, their rows collected.
#include "sqlite_connection.h"

#include <fmt/format.h>

#include <utility>

namespace jackfield::sqlitedb {
namespace {

using database::Failure;
using database::Outcome;
using database::Request;
using messages::DatabaseRows;

DatabaseRows::Cell cell_of(sqlite3_stmt* statement, int column) {
  const int type = sqlite3_column_type(statement, column);
  if (type == SQLITE_NULL) return {};
  const void* bytes = type == SQLITE_BLOB ? sqlite3_column_blob(statement, column) : sqlite3_column_text(statement, column);
  // After the bytes: asking for them may have converted them.
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
  return size == 0 ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

Trouble refused(Failure failure, std::string text) { return {.failure = failure, .text = std::move(text)}; }

}  // namespace

std::optional<Trouble> SqliteConnection::run_request(Request& request) {
  const auto& query = request.query();
  std::optional<Trouble> first;
  if (!query.escaped.load(std::memory_order_relaxed)) {
    const auto text = query.text.render_bound(request.values(), storage_);
    if (!text) return refused(Failure::value, text.error().text);
    bool begun = false;
    first = run_text(request, *text, true, begun);
    if (!first || begun || query.text.bound_count() == 0 || first->failure != Failure::query) return first;
  }
  // It may be that a parameter cannot stand there: PRAGMA x='…', CREATE … DEFAULT '…'.
  const auto text = query.text.render_escaped(request.values());
  if (!text) return first ? first : refused(Failure::value, text.error().text);
  bool begun = false;
  auto trouble = run_text(request, *text, false, begun);
  if (!first) return trouble;
  if (!begun) return first;
  query.escaped.store(true, std::memory_order_relaxed);
  return trouble;
}

std::optional<Trouble> SqliteConnection::run_text(Request& request, std::string_view text, bool bound, bool& begun) {
  PreparedText* const known = bound ? known_.find(text) : nullptr;
  if (known == nullptr) return run_new_text(request, text, bound, begun);
  begun = true;
  if (only_reading_ && !known->read_only) {
    request.outcome = Outcome::elsewhere;
    return {};
  }
  for (const auto& statement : known->statements) {
    if (auto trouble = run_statement(request, statement.get(), bound)) return trouble;
  }
  return {};
}

/// One after the other: the second may need what the first makes.
std::optional<Trouble> SqliteConnection::run_new_text(Request& request, std::string_view text, bool bound, bool& begun) {
  PreparedText made;
  for (std::string_view rest = text;;) {
    auto next = prepare_next(db_.get(), rest, bound);
    if (next.code != SQLITE_OK) return trouble(next.code);
    if (!next.statement) break;
    begun = true;
    made.read_only = made.read_only && sqlite3_stmt_readonly(next.statement.get()) != 0;
    made.statements.push_back(std::move(next.statement));
    if (only_reading_ && !made.read_only) {
      request.outcome = Outcome::elsewhere;
      return {};
    }
    if (auto trouble = run_statement(request, made.statements.back().get(), bound)) return trouble;
  }
  if (bound) known_.keep(std::string(text), std::move(made));
  return {};
}

std::optional<Trouble> SqliteConnection::run_statement(Request& request, sqlite3_stmt* statement, bool bound) {
  if (bound) {
    if (auto trouble = bind(request, statement)) return trouble;
  }
  const int columns = sqlite3_column_count(statement);
  const auto changes = sqlite3_total_changes64(db_.get());
  std::shared_ptr<DatabaseRows> rows;
  std::uint64_t count = 0;
  std::size_t size = 0;
  std::optional<Trouble> failed;
  for (;;) {
    const int code = sqlite3_step(statement);
    if (code != SQLITE_ROW) {
      if (code != SQLITE_DONE) failed = trouble(code);
      break;
    }
    ++count;
    if (!request.wants_rows) continue;
    if (!rows) {
      rows = std::make_shared<DatabaseRows>();
      rows->cells.reserve(static_cast<std::size_t>(columns));
    }
    for (int column = 0; column < columns; ++column) {
      rows->cells.push_back(cell_of(statement, column));
      size += sizeof(DatabaseRows::Cell) + (rows->cells.back() ? rows->cells.back()->size() : 0);
    }
    if (size > database::kMaxResult) {
      failed = refused(Failure::query, database::too_large());
      failed->group_gone = true;  // a RETURNING: unlike one that fails by itself, it has written all of its rows
      break;
    }
  }
  sqlite3_reset(statement);
  if (failed) return failed;

  auto& answer = request.answer;
  if (sqlite3_total_changes64(db_.get()) != changes) answer.affected += static_cast<std::uint64_t>(sqlite3_changes64(db_.get()));
  // The last result that has rows; else the last that has columns.
  if (columns > 0 && (count > 0 || answer.row_count == 0)) {
    if (request.wants_rows) {
      if (!rows) rows = std::make_shared<DatabaseRows>();
      for (int column = 0; column < columns; ++column) rows->columns.emplace_back(sqlite3_column_name(statement, column));
      answer.rows = std::move(rows);
    }
    answer.row_count = count;
    answer.column_count = static_cast<std::uint64_t>(columns);
  }
  return {};
}

std::optional<Trouble> SqliteConnection::bind(const Request& request, sqlite3_stmt* statement) {
  // `?7` alone has six unused ones before it; what the statement does not name is not bound.
  const int parameters = sqlite3_bind_parameter_count(statement);
  const auto& query = request.query().text;
  for (int i = 0; i < parameters && static_cast<std::size_t>(i) < query.bound_count(); ++i) {
    const auto value = query.bound_value(static_cast<std::size_t>(i), request.values());
    if (!utf8_ && sql::invalid_utf8(value) != std::string_view::npos) {
      return refused(Failure::value, "a value is not UTF-8, and this database keeps its texts as UTF-16");
    }
    // The request lives until the statement is reset. A null pointer would be NULL.
    const int code = sqlite3_bind_text64(statement, i + 1, value.data() == nullptr ? "" : value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
    if (code != SQLITE_OK) return trouble(code);
  }
  return {};
}

}  // namespace jackfield::sqlitedb
