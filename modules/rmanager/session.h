// One client of a listener: telnet and keys in, commands one after another, answers and streamed lines out. What the commands do is the
// engine's affair (jackfield/console.h). Engine thread only.
#pragma once

#include "line_editor.h"
#include "settings.h"
#include "telnet.h"

#include "door/failures.h"

#include <jackfield/console.h>
#include <jackfield/pending.h>

#include <boost/asio/ip/tcp.hpp>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace jackfield::rmanager {

class Session : public std::enable_shared_from_this<Session> {
 public:
  /// What all sessions share; outlives them.
  struct Shared {
    explicit Shared(TimerWheel& timers) : waits(timers) {}
    door::Failures failures;
    Pendings waits;
    TimerSinkId sink = 0;  ///< calls on_timer() of the session it names by its id times two, plus which
    Counter* failed_passwords = nullptr;
    Counter* dropped = nullptr;
  };
  using Ended = std::function<void(Session& session)>;

  /// Greets, and reads. `ended` is told once, in a later turn, and not after close().
  static std::shared_ptr<Session> begin(Engine& engine, std::uint64_t id, boost::asio::ip::tcp::socket socket, std::shared_ptr<const ListenerSettings> settings,
                                        std::shared_ptr<Shared> shared, Ended ended);

  void on_timer(bool unread);
  /// At once; nobody is told.
  void close();
  std::string peer() const { return peer_.text(); }
  ConsoleLevel level() const { return console_->options().level; }
  bool machine() const { return console_->machine(); }

 private:
  Session(Engine& engine, std::uint64_t id, boost::asio::ip::tcp::socket socket, std::shared_ptr<const ListenerSettings> settings, std::shared_ptr<Shared> shared, Ended ended);
  void greet();
  ConsoleLevel first_level(const net::Address& near) const;
  void read();
  /// Takes what was read, until a command is under way.
  void work();
  void handle(LineEditor::Event event);
  void complete(const std::string& line);
  void show_candidates(const std::string& word, const std::vector<std::string>& words);

  static Task<> run(std::shared_ptr<Session> self, std::string line);
  static Task<bool> execute(std::shared_ptr<Session> self, std::string command);
  static Task<> find_words(std::shared_ptr<Session> self, std::string line);
  static Task<std::string> authenticate(std::shared_ptr<Session> self, std::string password);
  std::string alias_list() const;

  bool shows_prompt() const;
  std::string prompt() const;
  void set_echo(bool on);
  void say(std::string_view text);
  void stream(std::string_view lines);
  void write();
  enum class Leaving : std::uint8_t { politely, flushed, at_once };
  void leave(std::string_view why, Leaving how = Leaving::politely);
  void finish();

  Engine& engine_;
  std::uint64_t id_;
  Logger& log_;
  boost::asio::ip::tcp::socket socket_;
  std::shared_ptr<const ListenerSettings> settings_;
  std::shared_ptr<Shared> shared_;
  Ended ended_;
  net::Address peer_;
  std::shared_ptr<ConsoleSession> console_;
  Telnet telnet_;
  LineEditor editor_;
  PendingId delay_ = 0;
  TimerHandle login_timer_, unread_timer_;
  std::array<char, 4096> chunk_;
  std::string in_, out_, writing_;
  std::size_t streamed_ = 0;  ///< of what is unsent, bytes nobody asked for
  int failures_ = 0;
  bool echo_ = false;
  bool busy_ = false;     ///< a command is under way: nothing is read meanwhile
  bool working_ = false;  ///< work() is on the stack: a command that ended at once does not begin it again
  bool stalled_ = false;  ///< answers wait to be read, and nothing further is done
  bool leaving_ = false;  ///< closes when everything is sent
  bool closed_ = false;
};

}  // namespace jackfield::rmanager
