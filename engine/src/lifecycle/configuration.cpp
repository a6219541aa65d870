#include "lifecycle/configuration.h"

#include "lifecycle/version.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace jackfield {

namespace {

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string();
}

void append(Problems& to, Problems from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

std::string run_id(WallTime started) { return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(started.time_since_epoch()).count()); }

}  // namespace

Configuration::Configuration(Places places, WallTime started, std::shared_ptr<ModuleFolders> folders)
    : places_(std::move(places)), started_(started), main_table_(kEngineKeys), folders_(std::move(folders)) {
  main_table_.name = places_.config_name;
  fill_run_parameters();
}

std::unique_ptr<Configuration> Configuration::again() const {
  auto fresh = std::make_unique<Configuration>(places_, started_, folders_);
  fresh->module_loaded_ = module_loaded_;
  return fresh;
}

void Configuration::begin_run(WallTime started) {
  started_ = started;
  run_parameters_.insert_or_assign("runid", run_id(started_));
}

void Configuration::fill_run_parameters() {
  std::error_code error;
  run_parameters_ = {{"version", version()},
                     {"release", version()},
                     {"revision", commit()},
                     {"nodename", places_.nodename.empty() ? host_name() : places_.nodename},
                     {"runid", run_id(started_)},
                     {"configname", places_.config_name},
                     {"sharedpath", places_.share_dir.string()},
                     {"configpath", places_.config_dir.string()},
                     {"usercfgpath", places_.config_dir.string()},
                     {"cfgsuffix", ".conf"},
                     {"modsuffix", ".yate"},
                     {"logfile", places_.log_file.string()},
                     {"interactive", "false"},
                     {"clientmode", "false"},
                     {"supervised", "false"},
                     {"runattempt", "0"},
                     {"lastsignal", "0"},
                     {"workpath", std::filesystem::current_path(error).string()}};
}

settings::IniContext Configuration::context(settings::IncludeRules rules) const {
  return {.run_parameter = [this](std::string_view name) -> std::optional<std::string_view> {
            const auto found = run_parameters_.find(name);
            if (found == run_parameters_.end()) return std::nullopt;
            return found->second;
          },
          .module_loaded =
              [this](std::string_view name) {
                if (module_loaded_) return module_loaded_(name);
                return std::any_of(enabled_.begin(), enabled_.end(), [&](const EnabledModule& module) { return module.name == name; });
              },
          .rules = rules};
}

/// Reads no more of the file than this one value.
std::filesystem::path Configuration::find_state_dir() const {
  if (!places_.state_dir.empty()) return places_.state_dir;
  for (const auto name : {std::string_view(main_table_.name), main_table_.yate_name}) {
    const auto file = settings::read_ini(places_.config_dir / fmt::format("{}.conf", name), context({}));
    if (!file.found) continue;
    for (const auto& section : file.sections) {
      const auto* entry = section.name == "general" ? section.find("statedir") : nullptr;
      if (entry && !entry->value.empty()) return places_.config_dir / substitute(entry->value, context({}).run_parameter);
    }
    break;
  }
  return places_.default_state_dir;
}

Problems Configuration::load() {
  std::error_code error;
  // Absolute, because modules put it into paths of their own.
  state_dir_ = std::filesystem::absolute(find_state_dir()).lexically_normal();
  if (!std::filesystem::is_directory(places_.config_dir, error))
    return {{Problem::Severity::error, {places_.config_dir.string(), 0}, "there is no such folder; -c names the one that holds jackfield.conf"}};
  // [configuration] says how files are read, this one too: so it is read twice.
  auto first = settings::Folder(places_.config_dir, context({})).load(main_table_);
  if (!first.settings) return std::move(first.problems);
  const auto rules = read_include_rules(*first.settings);
  auto loaded = settings::Folder(places_.config_dir, context(rules)).load(main_table_);
  if (!loaded.settings) return std::move(loaded.problems);
  main_.emplace(std::move(*loaded.settings));
  Problems problems = std::move(loaded.problems);
  if (!std::filesystem::exists(main_->file(), error))
    problems.push_back({Problem::Severity::warning, {places_.config_dir.string(), 0},
                        fmt::format("there is neither {}.conf nor {}.conf: no module is enabled; -c names the folder, `jackfield settings {}` prints a file to begin with",
                                    main_table_.name, main_table_.yate_name, kEngineKeys.name)});
  engine_ = read_engine_settings(*main_, problems);
  if (!places_.user.empty()) engine_.user = places_.user;
  if (places_.drain_timeout) engine_.drain_timeout = *places_.drain_timeout;

  if (places_.nodename.empty() && !engine_.nodename.empty()) run_parameters_["nodename"] = engine_.nodename;
  run_parameters_.insert_or_assign("statedir", state_dir_.string());
  if (!folders_) {
    auto dirs = places_.module_dirs;
    if (dirs.empty() && !engine_.modpath.empty()) dirs.emplace_back(engine_.modpath);
    if (dirs.empty()) dirs = places_.default_module_dirs;
    for (const auto& extra : engine_.extrapath) dirs.emplace_back(extra);
    folders_ = std::make_shared<ModuleFolders>(std::move(dirs));
  }
  if (!folders_->folders().empty()) run_parameters_.insert_or_assign("modulepath", folders_->folders().front().string());
  // They never overwrite one that exists.
  for (const auto& [name, value] : engine_.run_parameters)
    run_parameters_.emplace(name, substitute(value, [this](std::string_view inner) -> std::optional<std::string_view> {
                              const auto found = run_parameters_.find(inner);
                              if (found == run_parameters_.end()) return std::nullopt;
                              return found->second;
                            }));
  auto enabling = enabled_modules(*main_, engine_.modload, folders_->names());
  append(problems, std::move(enabling.problems));
  enabled_ = std::move(enabling.modules);
  folder_.emplace(places_.config_dir, context(rules), main_->from_yate());
  return problems;
}

std::vector<const ModuleDescriptor*> Configuration::descriptors(Problems& problems) const {
  std::vector<const ModuleDescriptor*> out;
  for (const auto& module : enabled_) {
    if (auto found = folders_->find(module.name); found) out.push_back(*found);
    else problems.push_back({Problem::Severity::error, module.where, found.error()});
  }
  return out;
}

}  // namespace jackfield
