// What one script has to do with the bus: the handlers and watchers it installed, the messages it was asked and has not answered, the
// messages it sent. Speaks the protocol of COMPAT §9 over a Connection. Engine thread only.
#pragma once

#include "connection.h"
#include "locals.h"
#include "wire.h"

#include <jackfield/engine.h>
#include <jackfield/pending.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace jackfield::extmodule {

class Session : public std::enable_shared_from_this<Session> {
 public:
  /// `ended` is told once the far side is gone or sent quit, or close() was called; the session does nothing more then.
  using Ended = std::function<void(Session&, std::string_view why)>;
  /// `name` is what people see: the script's name, or the address of a socket's far end.
  static std::shared_ptr<Session> begin(Engine& engine, std::string name, std::shared_ptr<Connection> connection, Locals locals, std::string secret, Ended ended);
  ~Session();

  void close(std::string_view why);

  /// Asks the script, as a handler that it installed would.
  Verdict ask(Message& message);
  /// Its messages wait until release(); what it answers, installs and sets does not.
  void hold() { held_.emplace(); }
  void release();

  const std::string& name() const { return name_; }
  const Locals& locals() const { return locals_; }
  std::size_t handlers() const { return handlers_.size(); }
  std::size_t waiting() const { return waiting_; }
  std::uint64_t late() const { return late_; }

 private:
  Session(Engine& engine, std::string name, std::shared_ptr<Connection> connection, Locals locals, std::string secret, Ended ended);
  void line(std::string_view line);
  /// False: the keyword is none, or its fields are wrong.
  bool command(std::string_view keyword, std::string_view fields);
  bool connected(std::string_view fields);
  bool message(std::string_view fields);
  bool answer(std::string_view fields);
  bool install(std::string_view fields);
  bool uninstall(std::string_view fields);
  bool watch(std::string_view fields, bool on);
  bool set_local(std::string_view fields);
  bool debug(std::string_view fields);
  void quit();
  void say(std::string_view line);

  static Task<bool> wait(std::shared_ptr<Session> self, Message* message);
  /// What becomes of a message the script does not answer: the next handler, or `on_fail`.
  bool unanswered(Message& message) const;
  void answered_late();
  void watched(const Message& message, bool handled);
  void dispatch(WireMessage wire);
  static Task<> dispatch_slowly(std::shared_ptr<Session> self, std::shared_ptr<Message> message, Verdict verdict, std::string id);
  void finish(const Message& message, bool handled, std::string_view id);

  struct Installed {
    int priority;
    Bus::Subscription subscription;
  };

  Engine& engine_;
  Logger& log_;
  std::string name_;
  std::shared_ptr<Connection> connection_;
  Locals locals_;
  std::string secret_;  ///< still to be told; empty: nothing is asked
  Ended ended_;
  bool over_ = false;
  std::map<std::string, Installed, std::less<>> handlers_;
  std::map<std::string, Bus::Subscription, std::less<>> watchers_;
  Pendings pendings_;
  std::unordered_set<const Message*> own_;  ///< being dispatched for the script
  std::size_t waiting_ = 0;
  std::uint64_t late_ = 0;
  int late_in_a_row_ = 0;
  MonoTime spared_until_ = {};  ///< the breaker is open: not asked before this
  bool skipped_watches_ = false;
  std::optional<std::vector<WireMessage>> held_;
};

}  // namespace jackfield::extmodule
