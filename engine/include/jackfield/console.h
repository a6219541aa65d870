// Somebody who gives commands, a person or a program: what he may do, what is streamed to him, and what his lines are answered. The
// control socket has one for each connection and so has whatever module listens for consoles: the commands are the same everywhere.
//
// A session takes `quit`, `echo`, `machine`, `output`, `color` and `debug threshold`; every other line becomes engine.command, which the
// engine answers first (share/doc/console.md) and modules after it. Engine thread only.
#pragma once

#include <jackfield/engine.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield {

/// For handlers of engine.command: whether whoever gave the command may change something (`cmd_admin`). If not, the answer says so, and
/// the command is handled: every command that changes something asks this first.
bool may_change(Message& command);

/// none: `auth`, `help`, `quit`, `echo`; user: may look, too; admin: may do everything.
enum class ConsoleLevel : std::uint8_t { none, user, admin };

struct ConsoleAnswer {
  bool ok = true;
  std::string text = {};  ///< lines that end in CR LF
  bool ends = false;      ///< the last one: he has quit
};

/// What a session's owner knows of it and may change at any time.
struct ConsoleOptions {
  std::string address;  ///< `cmd_address` of the messages that are sent for it
  ConsoleLevel level = ConsoleLevel::none;
  bool prompts = false;  ///< a person reads it behind a prompt: `status` comes without its frame
  bool color = false;
  int width = 0, height = 0, offset = 0;  ///< of the screen; 0: unknown
  /// Further commands of the level user.
  std::function<bool(std::string_view line)> user_may = {};
};

class ConsoleSession : public std::enable_shared_from_this<ConsoleSession> {
 public:
  /// `stream` gets lines that nobody asked for at this moment (dispatched messages, the log), each with its CR LF. It must not wait, and
  /// must not log: that would be streamed, too.
  using Stream = std::function<void(std::string_view lines)>;
  static std::shared_ptr<ConsoleSession> make(Engine& engine, ConsoleOptions options, Stream stream);
  ~ConsoleSession();

  ConsoleOptions& options() { return options_; }
  bool machine() const { return machine_; }
  bool output() const { return log_watch_ != nullptr; }
  /// Whether every dispatched message is streamed as `%%<message::…`, what is secret in it masked. Needs the level user, and pauses below it.
  void set_machine(bool on);
  /// Whether the log is streamed. Needs the level user, and pauses below it.
  void set_output(bool on);
  /// Nothing is streamed from now on.
  void close();

  /// The session may end meanwhile; the answer is then of no use to anybody.
  static Task<ConsoleAnswer> execute(std::shared_ptr<ConsoleSession> self, std::string line);
  /// What the word that begins with `partword` could be behind `partline`, sorted.
  static Task<std::vector<std::string>> complete(std::shared_ptr<ConsoleSession> self, std::string partline, std::string partword);

 private:
  ConsoleSession(Engine& engine, ConsoleOptions options, Stream stream);
  bool may(std::string_view verb, std::string_view line) const;
  Message make_message(std::string_view name) const;
  ConsoleAnswer toggle(std::string_view verb, std::string_view word);
  ConsoleAnswer threshold(std::string_view word);

  Engine& engine_;
  ConsoleOptions options_;
  Stream stream_;
  bool machine_ = false;
  LogLevel threshold_ = LogLevel::trace;
  Bus::Subscription message_watch_;
  std::shared_ptr<void> log_watch_;
};

}  // namespace jackfield
