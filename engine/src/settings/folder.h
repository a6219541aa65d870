// The folder of -c: reads the file of a key table, native or Yate's, and checks it.
#pragma once

#include "settings/ini_reader.h"
#include "settings/tables.h"

#include <filesystem>
#include <optional>
#include <string>

namespace jackfield::settings {

class Folder {
 public:
  /// `all_yate`: there is no jackfield.conf here but Yate's, so every file counts as Yate's own.
  Folder(std::filesystem::path path, IniContext context, bool all_yate = false)
      : path_(std::move(path)), context_(std::move(context)), all_yate_(all_yate) {}

  struct Loaded {
    std::optional<Settings> settings;  ///< nothing when a problem is an error
    Problems problems;
  };
  /// NAME.conf; else the table's Yate name; else the defaults alone.
  Loaded load(const KeyTable& table) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  IniContext context_;
  bool all_yate_;
};

using jackfield::has_errors;
/// `file:line: warning: text`
std::string to_text(const Problem& problem);

}  // namespace jackfield::settings
