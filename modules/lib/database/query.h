// A query as the accounts of a module keep it: its text parsed once, and what running it has taught. Shared by all who ask it.
#pragma once

#include "sql/query_template.h"

#include <atomic>
#include <memory>

namespace jackfield::database {

struct Query {
  explicit Query(sql::QueryTemplate parsed) : text(std::move(parsed)), writes(!text.looks_read_only()) {}

  const sql::QueryTemplate text;
  /// It belongs on the connection that writes. A guess from its first words, set by the first connection that knows better.
  mutable std::atomic<bool> writes;
  /// It does not prepare with bound parameters and goes with escaped literals; set by the first connection that finds out.
  mutable std::atomic<bool> escaped{false};
};

}  // namespace jackfield::database
