#include "main/commands.h"

#include "clock.h"
#include "control/protocol.h"
#include "control/state_lock.h"
#include "docs/reference.h"
#include "lifecycle/enable_edit.h"
#include "lifecycle/modules.h"
#include "settings/sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>

namespace jackfield {

namespace fs = std::filesystem;

namespace {

/// The descriptors of all modules there are, enabled ones first; libraries that do not fit are left out.
std::vector<const ModuleDescriptor*> known_modules(const Configuration& configuration) {
  Problems ignored;
  auto out = configuration.descriptors(ignored);
  for (const auto& name : configuration.modules().names())
    if (const auto found = configuration.modules().find(name); found && std::find(out.begin(), out.end(), *found) == out.end()) out.push_back(*found);
  return out;
}

struct FoundCommand {
  const ModuleDescriptor* module;
  const ModuleCommand* command;
};

/// In the order in which they are asked.
std::vector<FoundCommand> find_commands(const std::vector<const ModuleDescriptor*>& modules, std::string_view verb) {
  std::vector<FoundCommand> found;
  for (const auto* module : modules)
    for (const auto& command : module->commands)
      if (command.verb == verb) found.push_back({module, &command});
  std::stable_partition(found.begin(), found.end(), [](const FoundCommand& one) { return one.command->first; });
  return found;
}

/// The account as whichever enabled module serves it.
tl::expected<std::unique_ptr<DirectDatabase>, std::string> open_database(const Configuration& configuration, std::string_view account) {
  Problems problems;
  for (const auto* module : configuration.descriptors(problems)) {
    if (!module->open_database) continue;
    const auto loaded = configuration.read(*module->keys);
    for (const auto& problem : loaded.problems)
      if (problem.severity == Problem::Severity::error) return tl::unexpected(settings::to_text(problem));
    auto opened = module->open_database(*loaded.settings, account, configuration.state_dir());
    if (!opened || *opened) return opened;
  }
  return tl::unexpected(fmt::format("no enabled module serves a database account `{0}`: `jackfield module enable NAME` enables one, [{0}] in its file is the account", account));
}

int run_module_command(const Configuration& configuration, const FoundCommand& found, std::span<const std::string> arguments) {
  auto loaded = configuration.read(*found.module->keys);
  for (const auto& problem : loaded.problems)
    if (problem.severity == Problem::Severity::error) std::cerr << settings::to_text(problem) << '\n';
  if (!loaded.settings) return kConfiguration;
  std::error_code error;
  if (!fs::exists(configuration.state_dir(), error)) {
    fs::create_directories(configuration.state_dir(), error);
    if (!error) fs::permissions(configuration.state_dir(), fs::perms::owner_all, error);
    if (error) {
      std::cerr << fmt::format("the state directory {} cannot be made: {}; -w names another\n", configuration.state_dir().string(), error.message());
      return kFailed;
    }
  }
  SystemRandom random;
  const bool running = StateLock::holder(configuration.state_dir()).has_value();
  CommandContext context{.arguments = arguments,
                         .settings = *loaded.settings,
                         .config_dir = configuration.places().config_dir,
                         .state_dir = configuration.state_dir(),
                         .share_dir = configuration.places().share_dir,
                         .nodename = configuration.run_parameters().at("nodename"),
                         .open_database = [&configuration](std::string_view account) { return open_database(configuration, account); },
                         .random = random,
                         .out = std::cout,
                         .err = std::cerr,
                         .server_running = running};
  const int code = found.command->run(context);
  if (code == kNotServed) return code;
  if (code == kUsage) std::cerr << fmt::format("usage: jackfield {} {}\n", found.command->verb, found.command->usage);
  if (!context.reload || !running) return code;
  const auto answer = ask_server(configuration.state_dir(), fmt::format("reload {}", found.module->name));
  if (answer && answer->ok) return code;
  std::cerr << fmt::format("the running server has not read the change: {}", answer ? answer->text : answer.error() + "\n");
  return code == kDone ? static_cast<int>(kFailed) : code;
}

}  // namespace

std::unique_ptr<Configuration> load_configuration(const Options& options, bool print_warnings) {
  auto configuration = std::make_unique<Configuration>(options.places, std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now()));
  const auto problems = configuration->load();
  for (const auto& problem : problems)
    if (print_warnings || problem.severity == Problem::Severity::error) std::cerr << settings::to_text(problem) << '\n';
  if (settings::has_errors(problems)) return nullptr;
  return configuration;
}

int check_configuration(const Options& options) {
  Configuration configuration(options.places, {});
  auto problems = configuration.load();
  std::size_t modules = 0;
  if (!settings::has_errors(problems)) {
    const auto descriptors = configuration.descriptors(problems);
    modules = descriptors.size();
    auto report = Modules::check(descriptors, [&](const KeyTable& table) { return configuration.read(table); });
    problems.insert(problems.end(), report.problems.begin(), report.problems.end());
  }
  for (const auto& problem : problems) std::cout << settings::to_text(problem) << '\n';
  const auto errors = std::count_if(problems.begin(), problems.end(), [](const Problem& p) { return p.severity == Problem::Severity::error; });
  const auto counted = [](std::ptrdiff_t number, std::string_view what) { return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s"); };
  const auto warnings = static_cast<std::ptrdiff_t>(problems.size()) - errors;
  std::cout << fmt::format("{}: {} enabled, {}, {}\n", options.places.config_dir.string(), counted(static_cast<std::ptrdiff_t>(modules), "module"),
                           counted(errors, "error"), counted(warnings, "warning"));
  return errors == 0 ? kDone : kConfiguration;
}

int print_settings(const Options& options, const std::string& name) {
  if (name == kEngineKeys.name) {
    std::cout << settings::sample(kEngineKeys);
    return kDone;
  }
  // The samples must also be had where the configuration is broken.
  auto places = options.places;
  ModuleFolders folders(places.module_dirs.empty() ? places.default_module_dirs : places.module_dirs);
  const auto found = folders.find(name);
  if (!found) {
    std::cerr << found.error() << '\n';
    return kFailed;
  }
  std::cout << settings::sample(*(*found)->keys);
  return kDone;
}

int print_help(const Options& options, const std::string& topic) {
  if (const auto* message = messages::find(topic)) {
    std::cout << docs::message_text(*message);
    return kDone;
  }
  if (topic == "messages") {
    std::cout << docs::message_list();
    return kDone;
  }
  const auto configuration = load_configuration(options, false);
  if (!configuration) return kConfiguration;
  const auto modules = known_modules(*configuration);
  const auto named = std::find_if(modules.begin(), modules.end(), [&](const auto* module) { return module->name == topic; });
  if (named != modules.end()) {
    std::cout << docs::module_text(**named);
    return kDone;
  }
  if (const auto found = find_commands(modules, topic); !found.empty()) {
    for (const auto& [module, command] : found)
      std::cout << fmt::format("jackfield {} {}\n{}", command->verb, command->usage, settings::wrapped(command->doc, "  "));
    return kDone;
  }
  // Commands that modules answer on the console are known to the running server alone.
  if (StateLock::holder(configuration->state_dir()))
    if (const auto told = ask_server(configuration->state_dir(), "help " + topic); told && told->ok) {
      std::cout << told->text;
      return kDone;
    }
  std::vector<std::string_view> topics;
  for (const auto* message : messages::all()) topics.push_back(message->name);
  for (const auto* module : modules) topics.emplace_back(module->name);
  const auto near = settings::nearest(topic, topics);
  std::cerr << fmt::format("there is no message, module or command `{}`{}; `jackfield help messages` lists the messages\n", topic,
                           near.empty() ? std::string() : fmt::format("; did you mean `{}`?", near));
  return kFailed;
}

namespace {

int ask(const Options& options, const std::string& line, bool wait_for_end) {
  // A server runs on however broken its files have become meanwhile: it can still be asked and stopped.
  Configuration configuration(options.places, {});
  const bool good = !settings::has_errors(configuration.load());
  Duration drain = good ? configuration.engine().drain_timeout : Duration(0);
  if (wait_for_end)  // it may have been started with another one
    if (const auto told = ask_server(configuration.state_dir(), "drain timeout"); told && told->ok) drain = Duration(std::strtoll(told->text.c_str(), nullptr, 10));
  const auto answer = ask_server(configuration.state_dir(), line, wait_for_end ? std::optional(drain + kAnswerLimit) : std::nullopt);
  if (!answer) {
    std::cerr << answer.error() << '\n';
    return kNoServer;
  }
  (answer->ok ? std::cout : std::cerr) << answer->text;
  return answer->ok ? kDone : kFailed;
}

}  // namespace

int ask_running(const Options& options, const std::string& line) { return ask(options, line, false); }
int stop_running(const Options& options) { return ask(options, "stop", true); }

int enable_module(const Options& options, const std::string& name) {
  const auto configuration = load_configuration(options, false);
  if (!configuration) return kConfiguration;
  const auto found = configuration->modules().find(name);
  if (!found) {
    std::cerr << found.error() << '\n';
    return kFailed;
  }
  const auto enabled = [&](std::string_view other) {
    return std::any_of(configuration->enabled().begin(), configuration->enabled().end(), [&](const auto& module) { return module.name == other; });
  };
  const fs::path path = configuration->main().file();
  if (enabled(name)) {
    std::cout << fmt::format("module `{}` is enabled already\n", name);
  } else {
    std::string text;
    {
      std::ifstream in(path, std::ios::binary);
      text.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    // Written beside and renamed: a crash leaves the old file or the new one.
    const fs::path fresh = path.string() + ".tmp";
    std::error_code error;
    std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
    out << with_module_enabled(text, name);
    out.close();
    const auto mode = fs::status(path, error);
    if (out && fs::exists(mode)) fs::permissions(fresh, mode.permissions(), error);
    if (out) fs::rename(fresh, path, error);
    if (!out || error) {
      std::cerr << fmt::format("{} cannot be written{}\n", path.string(), error ? ": " + error.message() : std::string());
      fs::remove(fresh, error);
      return kFailed;
    }
    std::cout << fmt::format("module `{}` is enabled in {}\n", name, path.string());
  }
  for (const auto needed : (*found)->requires_modules)
    if (!enabled(needed)) std::cout << fmt::format("it needs `{0}`, which is not enabled: `jackfield module enable {0}`\n", needed);
  if (!fs::exists(configuration->places().config_dir / fmt::format("{}.conf", name)))
    std::cout << fmt::format("it has no file yet and runs with its defaults; `jackfield settings {0} > {1}/{0}.conf` makes one\n", name,
                             configuration->places().config_dir.string());
  if (StateLock::holder(configuration->state_dir())) std::cout << fmt::format("the running server takes it with `jackfield module load {}`\n", name);
  return kDone;
}

int other_command(const Options& options, const std::vector<std::string>& words) {
  const auto configuration = load_configuration(options, false);
  if (!configuration) {
    // Which modules are enabled is not known now; a server that runs may still take the words.
    Configuration broken(options.places, {});
    (void)broken.load();
    if (!StateLock::holder(broken.state_dir())) return kConfiguration;
    return ask_running(options, fmt::format("{}", fmt::join(words, " ")));
  }
  Problems problems;
  const auto found = find_commands(configuration->descriptors(problems), words.front());
  const bool running = StateLock::holder(configuration->state_dir()).has_value();
  const auto wants_help = [](const std::string& word) { return word == "--help" || word == "-h"; };
  if ((!found.empty() || running) && std::any_of(words.begin() + 1, words.end(), wants_help)) return print_help(options, words.front());
  for (const auto& each : found)
    if (const int code = run_module_command(*configuration, each, std::span(words).subspan(1)); code != kNotServed) return code;
  if (running) return ask_running(options, fmt::format("{}", fmt::join(words, " ")));
  for (const auto& problem : problems) std::cerr << settings::to_text(problem) << '\n';
  std::cerr << fmt::format("`{}` is no command of the program nor of an enabled module, and no server runs that might know it; try `jackfield --help`\n",
                           words.front());
  return kUsage;
}

}  // namespace jackfield
