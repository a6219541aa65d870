// What SQLite's result codes mean to whoever asked: a kind of failure, and a sentence that names the file and says what to do.
#pragma once

#include "database/request.h"

#include <sqlite3.h>

#include <string>

namespace jackfield::sqlitedb {

struct Trouble {
  database::Failure failure = database::Failure::query;
  std::string text;
  bool again = false;       ///< a lock: it may work when it is run again
  bool broken = false;      ///< this connection is no good any more
  bool group_gone = false;  ///< what stood before it in the same transaction may be gone too, or is not worth keeping
  bool in_doubt = false;    ///< of a commit: it may have happened all the same
};

/// The last error of `db`. `code` is its extended result code.
Trouble trouble_of(sqlite3* db, int code, const std::string& file);

}  // namespace jackfield::sqlitedb
