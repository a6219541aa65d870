#include "sqlite_error.h"

#include <fmt/format.h>

#include <system_error>

namespace jackfield::sqlitedb {
namespace {

using database::Failure;

/// "database or disk is full", and the system's own reason where there is one.
std::string reason(sqlite3* db) {
  const int system = sqlite3_system_errno(db);
  const std::string text = sqlite3_errmsg(db);
  return system == 0 ? text : fmt::format("{}: {}", text, std::generic_category().message(system));
}

Trouble of_the_file(sqlite3* db, const std::string& file, std::string_view advice) {
  return {.failure = Failure::away, .text = fmt::format("{}: {}; {}", file, reason(db), advice), .group_gone = true};
}

}  // namespace

Trouble trouble_of(sqlite3* db, int code, const std::string& file) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: {
      Trouble locked{.failure = Failure::away, .text = fmt::format("{} is locked by another program; end what writes to it", file)};
      locked.again = locked.group_gone = true;
      return locked;
    }
    case SQLITE_FULL: return of_the_file(db, file, "make room on that disk");
    case SQLITE_READONLY: {
      auto trouble = of_the_file(db, file, "the file, those named -wal and -shm beside it, and their folder must belong to the server");
      trouble.broken = true;
      return trouble;
    }
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN: {
      auto trouble = of_the_file(db, file, "its folder must be there, and both must belong to the server");
      trouble.broken = true;
      return trouble;
    }
    case SQLITE_IOERR: {
      auto trouble = of_the_file(db, file, "check that disk");
      trouble.in_doubt = code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC;
      return trouble;
    }
    case SQLITE_NOMEM: return of_the_file(db, file, "there is not enough memory");
    case SQLITE_PROTOCOL: {
      auto trouble = of_the_file(db, file, "too many programs use it at once");
      trouble.again = true;
      return trouble;
    }
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: {
      auto trouble = of_the_file(db, file, "the file is damaged or no SQLite database: restore a copy, or move it away");
      trouble.broken = true;
      return trouble;
    }
    case SQLITE_INTERRUPT: return {.failure = Failure::late, .text = "interrupted at its deadline", .group_gone = true};
    case SQLITE_TOOBIG: return {.failure = Failure::value, .text = sqlite3_errmsg(db)};
    default: return {.failure = Failure::query, .text = sqlite3_errmsg(db)};
  }
}

}  // namespace jackfield::sqlitedb
