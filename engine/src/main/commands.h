// The commands of the program `jackfield`. Each answers the exit code.
#pragma once

#include "lifecycle/configuration.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield {

enum ExitCode : int {
  kDone = 0,
  kFailed = 1,         ///< refused or failed; standard error says why
  kUsage = 2,          ///< the command line is wrong
  kConfiguration = 3,  ///< the configuration has errors; each is printed with file and line
  kNoServer = 4,       ///< no server answers on the state directory
};

struct Options {
  Places places;
  std::filesystem::path pid_file;  ///< of -p
  bool daemon = false;             ///< of -d
  int verbosity = 0;               ///< -v more, -q less
};

int run_server(const Options& options);
int check_configuration(const Options& options);
/// The commented sample of a module's file, or of jackfield.conf.
int print_settings(const Options& options, const std::string& name);
/// About a message, a module or a module's command.
int print_help(const Options& options, const std::string& topic);
/// Sends a line to the running server and prints what it answers.
int ask_running(const Options& options, const std::string& line);
/// Lets the running server end, and waits until it has; no longer than its drain_timeout and what an answer may take.
int stop_running(const Options& options);
/// Commands for the running server, typed or from a pipe, until `quit` or the end.
int run_console(const Options& options);
int enable_module(const Options& options, const std::string& name);
/// What would become of a call; `words` are those of the question (questions/question.h). `offline`: without a server.
int ask_route(const Options& options, const std::vector<std::string>& words, bool offline);
/// What became of one, or of a user's registrations.
int explain(const Options& options, const std::string& what, bool all);
/// A word that is no command of the program: a module's command, else one for the running server.
int other_command(const Options& options, const std::vector<std::string>& words);

/// Reads the configuration and prints its problems on standard error; null with an error.
std::unique_ptr<Configuration> load_configuration(const Options& options, bool print_warnings);

}  // namespace jackfield
