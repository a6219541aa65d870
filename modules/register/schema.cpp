#include "schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace jackfield::register_module {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTable =
    "CREATE TABLE IF NOT EXISTS jackfield_schema (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)";
constexpr std::string_view kVersion = "SELECT COALESCE(MAX(version), 0) AS version FROM jackfield_schema";

std::string_view folder_for(std::string_view database_type) { return database_type == "pgsqldb" ? "postgresql" : "sqlite"; }

}  // namespace

tl::expected<std::vector<Migration>, std::string> migrations_for(std::string_view database_type, const fs::path& share_dir) {
  const auto folder = share_dir / "sql" / folder_for(database_type);
  std::vector<Migration> out;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(folder, error)) {
    const auto name = file.path().stem().string();
    int version = 0;
    const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), version);
    if (file.path().extension() == ".sql" && bad == std::errc() && *end == '-') out.push_back({version, name, file.path()});
  }
  if (out.empty()) return tl::unexpected(fmt::format("there are no schemas in {}; -e names the folder with shared files", folder.string()));
  std::ranges::sort(out, {}, &Migration::version);
  return out;
}

tl::expected<int, std::string> schema_version(DirectDatabase& database) {
  if (auto made = database.run(kTable, nullptr); !made) return tl::unexpected(std::move(made.error()));
  auto answer = database.run(kVersion, nullptr);
  if (!answer) return tl::unexpected(std::move(answer.error()));
  const auto& cells = answer->rows.cells;
  int version = 0;
  if (!cells.empty() && cells[0]) std::from_chars(cells[0]->data(), cells[0]->data() + cells[0]->size(), version);
  return version;
}

tl::expected<void, std::string> apply(DirectDatabase& database, const Migration& migration) {
  std::ifstream in(migration.file);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return tl::unexpected(fmt::format("{} cannot be read", migration.file.string()));
  // The name has been read as digits, a dash and what a file of ours is called; quotes are doubled all the same.
  std::string name;
  for (const char c : migration.name) name.append(c == '\'' ? 2 : 1, c);
  auto done = database.run(fmt::format("{}\n;INSERT INTO jackfield_schema (version, name) VALUES ({}, '{}')", text.str(), migration.version, name), nullptr);
  if (!done) return tl::unexpected(fmt::format("{}: {}", migration.file.string(), done.error()));
  return {};
}

}  // namespace jackfield::register_module
