#include "answers.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace jackfield::pgsqldb {
namespace {

constexpr Oid kBytea = 17;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

messages::DatabaseRows rows_of(const PGresult* result) {
  messages::DatabaseRows rows;
  const int columns = PQnfields(result), count = PQntuples(result);
  for (int column = 0; column < columns; ++column) rows.columns.emplace_back(PQfname(result, column));
  rows.cells.reserve(static_cast<std::size_t>(columns) * static_cast<std::size_t>(count));
  for (int row = 0; row < count; ++row) {
    for (int column = 0; column < columns; ++column) {
      if (PQgetisnull(result, row, column) != 0) {
        rows.cells.emplace_back();
        continue;
      }
      const std::string_view text(PQgetvalue(result, row, column), static_cast<std::size_t>(PQgetlength(result, row, column)));
      rows.cells.emplace_back(PQftype(result, column) == kBytea ? bytea(text) : std::string(text));
    }
  }
  return rows;
}

}  // namespace

std::string bytea(std::string_view text) {
  if (!text.starts_with("\\x") || text.size() % 2 != 0) return std::string(text);
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t at = 2; at < text.size(); at += 2) {
    const int high = hex_digit(text[at]), low = hex_digit(text[at + 1]);
    if (high < 0 || low < 0) return std::string(text);
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  return bytes;
}

void add_result(const PGresult* result, bool wants_rows, database::Answer& answer) {
  // `SELECT 3` tells the rows that were read, `INSERT 0 3` those that were written.
  if (const std::string_view command = PQcmdStatus(const_cast<PGresult*>(result)); !command.starts_with("SELECT") && !command.starts_with("FETCH")) {
    const std::string_view written = PQcmdTuples(const_cast<PGresult*>(result));
    std::uint64_t count = 0;
    std::from_chars(written.data(), written.data() + written.size(), count);
    answer.affected += count;
  }
  if (PQresultStatus(result) != PGRES_TUPLES_OK) return;
  answer.row_count += static_cast<std::uint64_t>(PQntuples(result));
  answer.column_count = static_cast<std::uint64_t>(PQnfields(result));
  if (wants_rows) answer.rows = std::make_shared<messages::DatabaseRows>(rows_of(result));
}

Meaning meaning(std::string_view state) {
  // https://www.postgresql.org/docs/15/errcodes-appendix.html
  if (state == "40001" || state == "40P01" || state == "55P03") return Meaning::again;
  // "cached plan must not change result type", and a name that nobody knows any more (DISCARD ALL).
  if (state == "0A000" || state == "26000") return Meaning::stale;
  if (state == "25006") return Meaning::read_only;
  if (state.starts_with("53")) return Meaning::full;
  // Missing tables, columns and rights are missing for a literal too.
  static constexpr auto kNoMatterHow = std::to_array<std::string_view>({"42P01", "42703", "42501", "42710", "42P07", "42701"});
  if (state.starts_with("42") && std::ranges::find(kNoMatterHow, state) == kNoMatterHow.end()) return Meaning::bound_badly;
  return Meaning::refused;
}

database::Failure failure(Meaning meaning) { return meaning == Meaning::full ? database::Failure::away : database::Failure::query; }

}  // namespace jackfield::pgsqldb
