// What one script has to do with the bus: the handlers and watchers it installed, the messages it was asked and has not answered, the
// messages it sent. Speaks the protocol of COMPAT §9 over a Connection. Engine thread only.
#pragma once

#include "connection.h"
#include "settings.h"
#include "wire.h"

#include <jackfield/engine.h>
#include <jackfield/pending.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace jackfield::extmodule {

class Session : public std::enable_shared_from_this<Session> {
 public:
  /// `ended` is told once the far side is gone or sent quit, or close() was called; the session does nothing more then.
  using Ended = std::function<void(Session&, std::string_view why)>;
  /// A script of role channel sends its first call.execute: gives it a channel (use_channel), or sets why there is none and answers false.
  using Calls = std::function<bool(const std::shared_ptr<Session>&, Message& execute)>;
  /// What somebody who connected has to show first.
  struct Door {
    Role role = Role::global;
    std::string secret = {};  ///< to be told; empty: nothing is asked
    Calls calls = {};
    std::function<bool()> admit = {};     ///< the secret was right; false: there is no room
    std::function<Duration()> wrong = {}; ///< it was not; answers how long to leave the script without an answer
  };
  /// `name` is what people see: the script's name, or that of the listener and a number.
  static std::shared_ptr<Session> begin(Engine& engine, std::string name, std::shared_ptr<Connection> connection, Locals locals, Door door, Ended ended);
  ~Session();

  void close(std::string_view why);

  /// Asks the script, as a handler that it installed would.
  Verdict ask(Message& message);
  /// Its messages wait until release(); what it answers, installs and sets does not.
  void hold() { held_.emplace(); }
  void release();
  /// Its messages are this channel's from now on, unless it sets setdata=false.
  void use_channel(std::string id) { channel_ = std::move(id); }

  const std::string& name() const { return name_; }
  const Locals& locals() const { return locals_; }
  std::size_t handlers() const { return handlers_.size(); }
  std::size_t waiting() const { return waiting_; }
  std::uint64_t late() const { return late_; }
  /// How long its answers take, the last ones counting most.
  Duration latency() const { return std::chrono::duration_cast<Duration>(latency_); }
  /// `handlers=2 watchers=1 waiting=0 late=0 latency=3ms`, for people.
  std::string summary() const;
  bool owes_secret() const { return !door_.secret.empty(); }
  const std::string& channel() const { return channel_; }  ///< empty: none

 private:
  Session(Engine& engine, std::string name, std::shared_ptr<Connection> connection, Locals locals, Door door, Ended ended);
  void line(std::string_view line);
  /// False: the keyword is none, or its fields are wrong.
  bool command(std::string_view keyword, std::string_view fields);
  void told_secret(std::string_view line);
  static Task<> refuse(std::shared_ptr<Session> self, Duration after);
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
  /// The breaker is open, but for one question after each pause.
  bool is_spared();
  void answered_late();
  void answered_after(Duration time);
  void watched(const Message& message, bool handled);
  void dispatch(WireMessage wire);
  /// Makes the message its channel's; false when it has none to call from.
  bool add_channel(Message& message);
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
  Door door_;  ///< the secret is gone once it was told
  std::string channel_;
  Ended ended_;
  bool over_ = false;
  bool refused_ = false;  ///< it told a wrong secret, and nothing it says counts any more
  std::map<std::string, Installed, std::less<>> handlers_;
  std::map<std::string, Bus::Subscription, std::less<>> watchers_;
  Pendings pendings_;
  std::unordered_map<const Message*, std::size_t> own_;  ///< being dispatched for the script, and how large
  std::size_t own_size_ = 0;
  bool first_ = true;  ///< no line yet
  std::size_t waiting_ = 0, bad_lines_ = 0;
  std::uint64_t late_ = 0;
  std::chrono::duration<double, std::milli> latency_{0};
  Counter& answers_;
  Counter& answer_time_;
  int late_in_a_row_ = 0;
  MonoTime spared_until_ = {};  ///< the breaker is open: not asked before this
  bool behind_ = false;  ///< it was too far behind to be asked when that was last to happen
  bool skipped_watches_ = false;
  std::optional<std::vector<WireMessage>> held_;
};

}  // namespace jackfield::extmodule
