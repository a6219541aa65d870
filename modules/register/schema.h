// The tables of share/sql: files NNN-name.sql, each applied once, in order, in a transaction that also notes it in jackfield_schema.
#pragma once

#include <jackfield/direct_database.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace jackfield::register_module {

struct Migration {
  int version;
  std::string name;  ///< `001-users`
  std::filesystem::path file;
};

/// Those for databases of that type, in order. The error names the folder.
tl::expected<std::vector<Migration>, std::string> migrations_for(std::string_view database_type, const std::filesystem::path& share_dir);
/// 0: there is none of our schema.
tl::expected<int, std::string> schema_version(DirectDatabase& database);
tl::expected<void, std::string> apply(DirectDatabase& database, const Migration& migration);

}  // namespace jackfield::register_module
