// Which database an account means: a file, a URI, memory, or a file that is gone when it is closed.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace jackfield::sqlitedb {

struct DatabaseFile {
  std::string name;           ///< as SQLite opens it
  bool uri = false;           ///< `file:…`
  bool one_connection = false;  ///< memory, or temporary: nobody else could see what is in it
  unsigned mode = 0600;       ///< of a file that is made
};

/// `written` as in the configuration: below `state_dir` when it is a relative path.
DatabaseFile database_file(std::string_view written, const std::filesystem::path& state_dir, unsigned mode);

}  // namespace jackfield::sqlitedb
