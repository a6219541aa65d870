#include "database_file.h"

namespace jackfield::sqlitedb {

DatabaseFile database_file(std::string_view written, const std::filesystem::path& state_dir, unsigned mode) {
  DatabaseFile file{.name = std::string(written), .mode = mode};
  if (written.empty() || written == ":memory:") {
    file.one_connection = true;
  } else if (written.starts_with("file:")) {
    file.uri = true;
    const auto path = written.substr(5, written.find('?') - 5);
    file.one_connection = path.empty() || path == ":memory:" || written.find("mode=memory") != std::string_view::npos;
  } else {
    file.name = (std::filesystem::absolute(state_dir) / written).lexically_normal().string();
  }
  return file;
}

}  // namespace jackfield::sqlitedb
