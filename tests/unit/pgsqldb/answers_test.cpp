#include "answers.h"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

using namespace jackfield;
using namespace jackfield::pgsqldb;

namespace {

/// A result as the server would have sent it: columns and one row.
Result result(std::vector<std::pair<const char*, Oid>> columns, std::vector<const char*> row) {
  Result made(PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK));
  std::vector<PGresAttDesc> attributes;
  for (auto& [name, type] : columns) attributes.push_back({const_cast<char*>(name), 0, 0, 0, type, -1, -1});
  PQsetResultAttrs(made.get(), static_cast<int>(attributes.size()), attributes.data());
  for (std::size_t i = 0; i < row.size(); ++i) {
    PQsetvalue(made.get(), 0, static_cast<int>(i), const_cast<char*>(row[i]), row[i] == nullptr ? -1 : static_cast<int>(std::strlen(row[i])));
  }
  return made;
}

}  // namespace

TEST_CASE("rows become cells: NULL absent, a bytea its bytes, the rest text; of several result sets the last stays") {
  database::Answer answer;
  add_result(result({{"first", 25}}, {"1"}).get(), true, answer);
  add_result(result({{"none", 25}, {"empty", 25}, {"raw", 17}, {"like raw", 25}}, {nullptr, "", "\\x00ff27", "\\x00ff27"}).get(), true, answer);
  REQUIRE(answer.rows);
  CHECK(answer.rows->columns == std::vector<std::string>{"none", "empty", "raw", "like raw"});
  CHECK_FALSE(answer.rows->cells[0].has_value());
  CHECK(answer.rows->cells[1] == "");
  CHECK(answer.rows->cells[2] == std::string("\0\xff'", 3));
  CHECK(answer.rows->cells[3] == "\\x00ff27");
  CHECK(answer.row_count == 2);
  CHECK(answer.column_count == 4);
}

TEST_CASE("rows nobody wants are counted only") {
  database::Answer answer;
  add_result(result({{"first", 25}}, {"1"}).get(), false, answer);
  CHECK_FALSE(answer.rows);
  CHECK(answer.row_count == 1);
}

TEST_CASE("a bytea that is none stays as it is") {
  CHECK(bytea("\\x") == "");
  CHECK(bytea("\\x4a") == "J");
  for (const auto* text : {"", "x", "\\x4", "\\x4g", "\\144"}) CHECK(bytea(text) == text);
}

TEST_CASE("what an error means for the query") {
  CHECK(meaning("40001") == Meaning::again);
  CHECK(meaning("40P01") == Meaning::again);
  CHECK(meaning("26000") == Meaning::stale);
  CHECK(meaning("25006") == Meaning::read_only);
  CHECK(meaning("53100") == Meaning::full);
  CHECK(failure(Meaning::full) == database::Failure::away);
  CHECK(meaning("42601") == Meaning::bound_badly);
  CHECK(meaning("42P18") == Meaning::bound_badly);
  for (const auto* state : {"23505", "22P02", "42P01", "42703", "42501", "57014", "XX000", ""}) {
    CHECK(meaning(state) == Meaning::refused);
    CHECK(failure(meaning(state)) == database::Failure::query);
  }
}

TEST_CASE("libpq's messages become one line") {
  CHECK(one_line("connection failed:\n\tno route\n") == "connection failed: no route");
  CHECK(one_line("") == "");
}
