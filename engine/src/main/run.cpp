// `jackfield run`: from the options to a server, as a daemon, with a pid file, under systemd.
#include "main/commands.h"

#include "lifecycle/server.h"
#include "log/program_log.h"
#include "main/descriptor_limit.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <fcntl.h>
#include <time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>

namespace jackfield {

namespace {

/// The parent waits until the child says by a byte that it is ready, and ends with its result.
class Daemon {
 public:
  /// In the parent this does not return.
  Daemon() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    const auto child = fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (child > 0) {
      close(ends[1]);
      char byte = 0;
      const bool ready = read(ends[0], &byte, 1) == 1;
      int status = 0;
      if (!ready) waitpid(child, &status, 0);
      std::_Exit(ready ? kDone : WIFEXITED(status) ? WEXITSTATUS(status) : static_cast<int>(kFailed));
    }
    close(ends[0]);
    ready_ = ends[1];
    setsid();
  }

  /// Lets the parent go and the terminal with it.
  void ready() {
    if (ready_ < 0) return;
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(nothing, fd);
    close(nothing);
    if (write(ready_, "r", 1) != 1) std::_Exit(kFailed);
    close(ready_);
    ready_ = -1;
  }

 private:
  int ready_ = -1;
};

class PidFile {
 public:
  explicit PidFile(std::filesystem::path path) : path_(std::move(path)) {
    if (path_.empty()) return;
    std::ofstream out(path_, std::ios::trunc);
    out << getpid() << '\n';
    if (!out.flush()) throw std::runtime_error(fmt::format("the pid file {} cannot be written", path_.string()));
  }
  ~PidFile() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove(path_, ignored);
  }
  PidFile(const PidFile&) = delete;

 private:
  std::filesystem::path path_;
};

void notify_systemd(std::string_view state) {
  if (state == "WATCHDOG=1" && sd_watchdog_enabled(0, nullptr) <= 0) return;
  std::string text(state);
  if (state == "RELOADING=1") {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    text += fmt::format("\nMONOTONIC_USEC={}", static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000);
  }
  sd_notify(0, text.c_str());
}

}  // namespace

int run_server(const Options& options) {
  std::signal(SIGPIPE, SIG_IGN);
  // A file that may not grow (ulimit -f) is an error like a full disk, not the end.
  std::signal(SIGXFSZ, SIG_IGN);
  // Until the server listens to it: what it asks for, reading the files, is about to be done anyway.
  std::signal(SIGHUP, SIG_IGN);
  if (options.daemon && options.places.log_file.empty())
    std::cerr << "jackfield: with -d and without -l nothing is logged once the server is ready; -l names a file\n";
  std::optional<Daemon> daemon;
  if (options.daemon) daemon.emplace();
  SystemClock clock;
  SystemRandom random;
  clock.begin_turn();
  auto configuration = std::make_unique<Configuration>(options.places, clock.wall());
  auto problems = configuration->load();
  if (settings::has_errors(problems)) {
    for (const auto& problem : problems) std::cerr << settings::to_text(problem) << '\n';
    return kConfiguration;
  }
  ProgramLog log(options.places.log_file);
  Server server({.configuration = std::move(configuration),
                 .log = log,
                 .clock = clock,
                 .random = random,
                 .verbosity = options.verbosity,
                 .notify =
                     [&daemon](std::string_view state) {
                       if (daemon && state == "READY=1") daemon->ready();
                       notify_systemd(state);
                     },
                 .problems = std::move(problems)});
  if (const auto reason = raise_descriptor_limit(); !reason.empty())
    server.core().log("engine").warning("event=few_descriptors reason={}", log_value(reason));
  const PidFile pid_file(options.pid_file);
  if (server.run()) return server.exit_code();
  // With a log file, or behind a pipe, the person at the terminal has seen none of it yet.
  for (const auto& problem : server.problems())
    if (!options.places.log_file.empty()) std::cerr << settings::to_text(problem) << '\n';
  return kConfiguration;
}

}  // namespace jackfield
