// Reads one configuration file in the dialect of COMPAT §2: sections that merge, includes, spliced sections, conditional
// lines, `${run parameters}` in names and directives. Values are left as they are written. Every entry keeps its file and line.
#pragma once

#include <jackfield/settings.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield::settings {

/// `[configuration]` of jackfield.conf.
struct IncludeRules {
  int max_depth = 10;                  ///< files within files; at most 3 by default where recursion is not checked
  bool disable_include_silent = false; ///< report what `$includesilent` does not find, too
  bool check_recursive_include = true; ///< a file within itself is an error at once, not at max_depth
  bool include_empty = false;          ///< an include whose name is empty after `${}` reads the file's own folder
  bool warnings = true;                ///< report lines that say nothing
};

struct IniContext {
  std::function<std::optional<std::string_view>(std::string_view name)> run_parameter;
  std::function<bool(std::string_view name)> module_loaded;  ///< for `$loaded` and `$unloaded`
  IncludeRules rules;
};

struct IniFile {
  bool found = false;
  std::vector<SettingsSection> sections;  ///< in the order they first appear
  Problems problems;
};

/// A file that is not there is no problem here: `found` says it. One that cannot be read is an error.
IniFile read_ini(const std::filesystem::path& path, const IniContext& context);

/// The same for text that is at hand; includes are relative to `name`'s folder.
IniFile parse_ini(std::string_view text, const std::string& name, const IniContext& context);

}  // namespace jackfield::settings
