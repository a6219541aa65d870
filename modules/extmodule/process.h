// A child process with pipes to its standard streams: what it prints on the third one goes to the log line by line. It is the first of a
// process group of its own, so that a Ctrl-C at the server's terminal is not its end. Engine thread only.
#pragma once

#include "connection.h"

#include <jackfield/engine.h>

#include <functional>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace jackfield::extmodule {

class Process {
 public:
  /// `ended` is told once, in a later turn: how it ended, in words, and whether that was well (exit code 0).
  using Ended = std::function<void(const std::string& how, bool well)>;
  /// `command` is the program's path and its arguments. The error says the path and why it did not start.
  static tl::expected<std::unique_ptr<Process>, std::string> start(Engine& engine, std::vector<std::string> command, Ended ended);
  /// Ends the whole group at once and waits for it.
  ~Process();

  int pid() const { return pid_; }
  /// The lines it writes and reads. Once.
  std::shared_ptr<Connection> take_connection() { return std::move(connection_); }
  /// Asks the group to end. Whoever is still there at the destruction is killed.
  void terminate();

 private:
  struct Watch;
  Process(Engine& engine, int pid, Ended ended);
  void watch(int descriptor);

  Engine& engine_;
  int pid_;
  Ended ended_;
  std::shared_ptr<Watch> watch_;
  std::shared_ptr<Connection> connection_, errors_;
};

}  // namespace jackfield::extmodule
