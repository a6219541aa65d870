// From libpq's results to answers: rows as typed cells, what was written, and what an error means for a request. Pure.
#pragma once

#include "link.h"

#include "database/request.h"

namespace jackfield::pgsqldb {

/// Adds a statement's result to the answer: what was written is summed, the last result set is kept (COMPAT.md §11).
void add_result(const PGresult* result, bool wants_rows, database::Answer& answer);

/// `\x…` as PostgreSQL prints a bytea; anything else stays as it is.
std::string bytea(std::string_view text);

enum class Meaning : std::uint8_t {
  refused,      ///< the query is wrong, or breaks a rule of the schema
  again,        ///< serialisation, deadlock: the same may work now
  stale,        ///< the prepared statement is not what it was; prepared anew it may work
  bound_badly,  ///< it may work with literals in place of parameters
  read_only,    ///< it writes where only reading is allowed
  full,         ///< disk, memory, connections: nothing was written
};
Meaning meaning(std::string_view sqlstate);
database::Failure failure(Meaning meaning);

}  // namespace jackfield::pgsqldb
