// One reading of the configuration: the engine's own file, which modules it enables, and the folder their files are read from.
// A reload makes a second one and swaps when it is good. The server and the commands without a server use the same.
#pragma once

#include "lifecycle/enabling.h"
#include "lifecycle/engine_settings.h"
#include "loader/module_folders.h"
#include "settings/folder.h"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace jackfield {

/// What the command line and the executable's own place say.
struct Places {
  std::filesystem::path config_dir;
  std::string config_name = "jackfield";  ///< of -n
  std::vector<std::filesystem::path> module_dirs;  ///< of -m; empty: [general] modpath, then the default
  std::vector<std::filesystem::path> default_module_dirs;
  std::filesystem::path share_dir;
  std::filesystem::path state_dir;  ///< of -w; empty: [general] statedir, then the default
  std::filesystem::path default_state_dir;
  std::filesystem::path log_file;
  std::string nodename;  ///< of -N
  std::string user;      ///< of -u; before [general] user
  std::optional<Duration> drain_timeout = {};  ///< of --drain-timeout; before [general] drain_timeout
};

class Configuration {
 public:
  /// `started` is the run's id; `folders` are shared with an earlier reading, so that libraries stay mapped.
  Configuration(Places places, WallTime started, std::shared_ptr<ModuleFolders> folders = nullptr);
  Configuration(const Configuration&) = delete;

  /// Reads the engine's file. With an error among the problems nothing below may be used but places() and state_dir().
  Problems load();
  /// The same places read anew, not loaded yet.
  std::unique_ptr<Configuration> again() const;

  const Places& places() const { return places_; }
  const EngineSettings& engine() const { return engine_; }
  const Settings& main() const { return *main_; }
  const KeyTable& main_table() const { return main_table_; }
  const std::vector<EnabledModule>& enabled() const { return enabled_; }
  /// The descriptors of the enabled modules; opens their libraries.
  std::vector<const ModuleDescriptor*> descriptors(Problems& problems) const;
  ModuleFolders& modules() const { return *folders_; }
  /// -w, else [general] statedir, else the default. Known also when the file has errors: a running server must be found by whoever mends it.
  const std::filesystem::path& state_dir() const { return state_dir_; }
  /// Reads a module's file.
  settings::Folder::Loaded read(const KeyTable& table) const { return folder_->load(table); }

  const std::map<std::string, std::string, std::less<>>& run_parameters() const { return run_parameters_; }
  WallTime started() const { return started_; }
  /// The start, and with it `runid`, once it is known which runs were before.
  void begin_run(WallTime started);
  /// For `[$enabled $loaded NAME]`; without it, what is enabled counts as loaded.
  void set_module_loaded(std::function<bool(std::string_view)> answer) { module_loaded_ = std::move(answer); }

 private:
  settings::IniContext context(settings::IncludeRules rules) const;
  void fill_run_parameters();
  std::filesystem::path find_state_dir() const;

  Places places_;
  WallTime started_;
  KeyTable main_table_;
  std::shared_ptr<ModuleFolders> folders_;
  std::map<std::string, std::string, std::less<>> run_parameters_;
  std::function<bool(std::string_view)> module_loaded_;
  std::optional<Settings> main_;
  EngineSettings engine_;
  std::vector<EnabledModule> enabled_;
  std::filesystem::path state_dir_;
  std::optional<settings::Folder> folder_;
};

}  // namespace jackfield
