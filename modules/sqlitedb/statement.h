// Prepared statements, and those a connection keeps for texts it has met. Owned by one connection; its thread only.
#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace jackfield::sqlitedb {

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

/// Prepares the first statement of `text` and takes it off; null with SQLITE_OK: there is none left.
struct PreparedNext {
  int code;
  Statement statement;
};
PreparedNext prepare_next(sqlite3* db, std::string_view& text, bool lasting);

/// All statements of one text, in their order.
struct PreparedText {
  std::vector<Statement> statements;
  bool read_only = true;
};

class StatementCache {
 public:
  explicit StatementCache(std::size_t most) : most_(most) {}
  /// Null when it is not known. What was used last stays longest.
  PreparedText* find(std::string_view text);
  void keep(std::string text, PreparedText prepared);
  void clear() { known_.clear(), order_.clear(); }

 private:
  struct Known {
    std::string text;
    PreparedText prepared;
  };
  std::size_t most_;
  std::list<Known> order_;  // the last used first
  std::unordered_map<std::string_view, std::list<Known>::iterator> known_;
};

}  // namespace jackfield::sqlitedb
