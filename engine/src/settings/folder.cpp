#include "settings/folder.h"

#include <fmt/format.h>

#include <iterator>

namespace jackfield::settings {

Folder::Loaded Folder::load(const KeyTable& table) const {
  auto path = path_ / fmt::format("{}.conf", table.name);
  IniFile file = read_ini(path, context_);
  bool from_yate = all_yate_;
  if (!file.found && file.problems.empty() && !table.yate_name.empty()) {
    const auto yate_path = path_ / fmt::format("{}.conf", table.yate_name);
    if (IniFile yate = read_ini(yate_path, context_); yate.found || !yate.problems.empty()) {
      file = std::move(yate);
      path = yate_path;
      from_yate = true;
    }
  }
  Loaded loaded{.settings = std::nullopt, .problems = std::move(file.problems)};
  auto more = check_sections(table, file.sections, context_.run_parameter, from_yate);
  loaded.problems.insert(loaded.problems.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  if (!has_errors(loaded.problems)) loaded.settings.emplace(table, std::move(file.sections), path.string(), from_yate);
  return loaded;
}

std::string to_text(const Problem& problem) {
  const auto* word = problem.severity == Problem::Severity::error ? "error" : "warning";
  std::string where = problem.where.file;
  if (problem.where.line > 0) where += fmt::format(":{}", problem.where.line);
  return where.empty() ? fmt::format("{}: {}", word, problem.text) : fmt::format("{}: {}: {}", where, word, problem.text);
}

}  // namespace jackfield::settings
