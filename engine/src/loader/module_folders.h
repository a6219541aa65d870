// Finds modules by name in the module folders and keeps what it mapped until it is destroyed.
#pragma once

#include "loader/plugin.h"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield {

class ModuleFolders {
 public:
  explicit ModuleFolders(std::vector<std::filesystem::path> folders) : folders_(std::move(folders)) {}

  /// The names of all libraries there, in alphabetical order; nothing is opened.
  std::vector<std::string> names() const;
  /// Opened once; the first folder that has it counts. The error names the nearest known name.
  tl::expected<const ModuleDescriptor*, std::string> find(std::string_view name);
  const std::vector<std::filesystem::path>& folders() const { return folders_; }

 private:
  std::vector<std::filesystem::path> folders_;
  std::map<std::string, Plugin, std::less<>> open_;
};

}  // namespace jackfield
