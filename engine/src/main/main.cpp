// The command line. What a command does is in commands.cpp and run.cpp.
#include "docs/reference.h"
#include "lifecycle/version.h"
#include "main/commands.h"
#include "main/places.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <iostream>

namespace jackfield {
namespace {

constexpr const char* kFooter =
    "\nA word that is none of these is a command of an enabled module (`jackfield user add 101`),\n"
    "or goes to the running server. `jackfield help NAME` explains a message, a module or such a command.\n"
    "\nExit codes: 0 done; 1 refused or failed; 2 wrong usage; 3 errors in the configuration; 4 no server answers; of a server\n75: it was asked to restart, or what `stop CODE` said.";

void add_options(CLI::App& app, Options& options) {
  auto& places = options.places;
  app.add_option("-c", places.config_dir, "Folder with jackfield.conf, sip.conf, regfile.conf, …")->type_name("DIR")->capture_default_str();
  app.add_option("-n", places.config_name, "Name of the main file, without .conf")->type_name("NAME");
  app.add_option("-m,-x", places.module_dirs, "Folder with modules; may be given several times")->type_name("DIR")->allow_extra_args(false);
  app.add_option("-e", places.share_dir, "Folder with shared files (scripts, schemas)")->type_name("DIR")->capture_default_str();
  app.add_option("-w", places.state_dir, "State directory: journals, control socket; before [general] statedir")->type_name("DIR");
  app.add_option("-N", places.nodename, "Name of this server among several")->type_name("NAME");
  app.add_option("-l", places.log_file, "Log to this file instead of standard error")->type_name("FILE");
  app.add_option("-p", options.pid_file, "Write the process id to this file")->type_name("FILE");
  app.add_option("-u", places.user, "User a server started by root becomes: USER or USER:GROUP; before [general] user")->type_name("USER");
  app.add_option_function<double>("--drain-timeout", [&places](double seconds) { places.drain_timeout = Duration(static_cast<std::int64_t>(seconds * 1000)); },
                                  "How long calls may go on after a request to stop; before [general] drain_timeout")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 86400.0));
  app.add_flag("-d", options.daemon, "Run in the background; returns once the server is ready");
  app.add_flag("-v", [&options](std::int64_t count) { options.verbosity += static_cast<int>(count); }, "Log more; may be repeated");
  app.add_flag("-q", [&options](std::int64_t count) { options.verbosity -= static_cast<int>(count); }, "Log less; may be repeated");
}

int wrong_usage(std::string_view what) {
  std::cerr << fmt::format("{}; try `jackfield --help`\n", what);
  return kUsage;
}

/// The program's options may also stand behind a module's command: `jackfield user list -c DIR`. What is none of them is left.
std::vector<std::string> take_options(std::vector<std::string> words, Options& options) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  add_options(app, options);
  std::reverse(words.begin(), words.end());  // as CLI11 wants them
  app.parse(words);
  return app.remaining();
}

int main(int argc, char** argv) {
  Options options{.places = default_places(), .pid_file = {}};
  CLI::App app("Jackfield, a modular SIP server", "jackfield");
  app.footer(kFooter);
  app.fallthrough();
  app.require_subcommand(0, 1);
  add_options(app, options);
  // What is to be done, once the whole command line is known to be right.
  std::function<int()> action = [&] { return run_server(options); };
  std::string name, topic, level, overview;
  std::vector<std::string> about;
  bool ready = false, metrics = false, markdown = false, version = false;
  app.add_flag("-V,--version", version, "Print the version");

  app.add_subcommand("run", "Start the server (the default)");

  app.add_subcommand("check", "Read the whole configuration and report every problem; changes nothing")->callback([&] {
    action = [&] { return check_configuration(options); };
  });

  auto* settings = app.add_subcommand("settings", "Print a module's file with every key explained");
  settings->add_option("NAME", name, "A module, or jackfield for the engine's own file")->required();
  settings->callback([&] { action = [&] { return print_settings(options, name); }; });

  auto* help = app.add_subcommand("help", "Explain a message, a module or a command");
  help->add_option("NAME", topic, "messages: all of them");
  help->add_flag("--markdown", markdown, "The reference of all messages as a page");
  help->callback([&] {
    action = [&] {
      const auto commands = app.get_subcommands([&](const CLI::App* command) { return command->get_name() == topic; });
      if (markdown) std::cout << docs::messages_markdown();
      else if (topic.empty()) std::cout << overview;
      else if (!commands.empty()) std::cout << commands.front()->help(app.get_name());
      else return print_help(options, topic);
      return static_cast<int>(kDone);
    };
  });

  auto* status = app.add_subcommand("status", "What the running server and its modules say about themselves");
  status->add_option("MODULE", about, "Only this one; `overview` before it, or alone, leaves details out");
  status->add_flag("--ready", ready, "Only whether it takes calls: exit code 0 or 1");
  status->add_flag("--metrics", metrics, "Counters in Prometheus' text form");
  status->callback([&] {
    action = [&] {
      const int code = ask_running(options, fmt::format("status {}", ready ? "--ready" : metrics ? "--metrics" : fmt::format("{}", fmt::join(about, " "))));
      return ready && code != kDone ? static_cast<int>(kFailed) : code;
    };
  });

  auto* reload = app.add_subcommand("reload", "Let the running server read its configuration again; a bad file changes nothing");
  reload->add_option("MODULE", name, "Only this module's file");
  reload->callback([&] { action = [&] { return ask_running(options, fmt::format("reload {}", name)); }; });

  app.add_subcommand("drain", "Let the running server refuse new calls and registrations; those under way go on")->callback([&] {
    action = [&] { return ask_running(options, "drain"); };
  });
  app.add_subcommand("undrain", "Let it take new ones again")->callback([&] { action = [&] { return ask_running(options, "undrain"); }; });
  app.add_subcommand("stop", "End the running server, and wait until it has")->callback([&] { action = [&] { return stop_running(options); }; });
  app.add_subcommand("console", "Give the running server commands, with history and completion; also from a pipe")->callback([&] {
    action = [&] { return run_console(options); };
  });
  app.add_subcommand("version", "Print the version and the commit")->callback([&] { version = true; });

  auto* debug = app.add_subcommand("debug", "Show or set how much a module of the running server logs");
  debug->add_option("MODULE", name, "A module, or engine")->required();
  debug->add_option("LEVEL", level, "trace, debug, info, warning, error or off");
  debug->callback([&] { action = [&] { return ask_running(options, fmt::format("debug {} {}", name, level)); }; });

  auto* module = app.add_subcommand("module", "Modules: list, enable, load, unload, reload");
  module->require_subcommand(1);
  module->add_subcommand("list", "The modules of the running server")->callback([&] {
    action = [&] { return ask_running(options, "module list"); };
  });
  for (const auto& [verb, doc] : {std::pair{"load", "Start a module in the running server"}, std::pair{"unload", "Stop a module in the running server"},
                                  std::pair{"reload", "Let one module read its file again"}}) {
    auto* sub = module->add_subcommand(verb, doc);
    sub->add_option("NAME", name)->required();
    sub->callback([&, verb = verb] { action = [&, verb] { return ask_running(options, fmt::format("module {} {}", verb, name)); }; });
  }
  auto* enable = module->add_subcommand("enable", "Write NAME=yes to [modules] of jackfield.conf and say what else is needed");
  enable->add_option("NAME", name)->required();
  enable->callback([&] { action = [&] { return enable_module(options, name); }; });

  std::string called, caller, address, time;
  std::vector<std::string> parameters;
  bool offline = false, all = false;
  auto* route = app.add_subcommand("route", "What would become of a call: who is asked, each rule, what it changes, and where it goes; nothing is done");
  route->add_option("CALLED", called, "The number that is called")->required();
  route->add_option("NAME=VALUE", parameters, "Parameters the call would have: username=101, context=sales");
  route->add_option("--caller", caller, "Who calls")->type_name("X");
  route->add_option("--address", address, "Where the call comes from")->type_name("IP:PORT");
  route->add_option("--time", time, "When: 2026-01-31T18:30 or 18:30; now")->type_name("T");
  route->add_flag("--offline", offline, "Ask the configuration alone, without a server");
  route->callback([&] {
    action = [&] {
      std::vector<std::string> words{called, "--caller", caller, "--address", address};
      if (!time.empty()) words.insert(words.end(), {"--time", time});
      words.insert(words.end(), parameters.begin(), parameters.end());
      return ask_route(options, words, offline);
    };
  });

  auto* explaining = app.add_subcommand("explain", "What became of a call, or of a user's registrations: SIP messages, who was asked, what he answered and changed");
  explaining->add_option("WHAT", name, "A Call-ID, a billid, a channel, or a user (101, 101@example.com)")->required();
  explaining->add_flag("--all", all, "Also what lies far back");
  explaining->callback([&] { action = [&] { return explain(options, name, all); }; });

  // Last, because subcommands made after it would take it over: their own words must be right.
  app.prefix_command();
  overview = app.help();
  std::vector<std::string> words;
  try {
    app.parse(argc, argv);
    words = app.remaining(true);
    const auto commands = app.get_subcommands();
    if (!commands.empty() && !words.empty())
      return wrong_usage(fmt::format("`{}` is nothing that `jackfield {}` knows", words.front(), commands.front()->get_name()));
    if (!words.empty() && words.front().starts_with('-')) return wrong_usage(fmt::format("`{}` is no option", words.front()));
    if (!words.empty()) words = take_options(std::move(words), options);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  if (version) {
    std::cout << fmt::format("Jackfield {}\n", version_text());
    return kDone;
  }
  return words.empty() ? action() : other_command(options, words);
}

}  // namespace
}  // namespace jackfield

int main(int argc, char** argv) {
  // Whoever closed them would have our files take their numbers, and what is printed go into a journal.
  while (true) {
    const int fd = open("/dev/null", O_RDWR);
    if (fd > STDERR_FILENO) close(fd);
    if (fd < 0 || fd > STDERR_FILENO) break;
  }
  try {
    return jackfield::main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "jackfield: " << error.what() << '\n';
    return jackfield::kFailed;
  }
}
