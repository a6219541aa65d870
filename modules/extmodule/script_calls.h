// Calls that have a script of their own: `external/nodata/SCRIPT ARGUMENT` makes the script the caller's other end, a channel that it plays
// by messages alone; `external/nochan/SCRIPT` only shows it the call; each call starts the script anew. And a script on a socket of role
// channel is itself who calls, from its first call.execute on. Engine thread only.
#pragma once

#include "process.h"
#include "scripts.h"
#include "session.h"
#include "settings.h"

#include <jackfield/channel.h>
#include <jackfield/engine.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield::extmodule {

class ScriptCalls : public std::enable_shared_from_this<ScriptCalls> {
 public:
  ScriptCalls(Engine& engine, ScriptSettings settings);
  ~ScriptCalls();

  void start();
  void use(ScriptSettings settings) { settings_ = std::move(settings); }
  /// Gives a script on a socket the channel that it calls from; false: there may be no more, and `message` says why.
  bool begin(const std::shared_ptr<Session>& session, Message& message);
  /// That session is over, and so is its call.
  void session_ended(const Session& session);
  void drop_all(std::string_view reason);
  /// No script of a call runs any more.
  bool idle() const { return calls_.empty() && ending_.empty(); }

  /// Of the scripts that were started for a call.
  void each_session(const std::function<void(const Session& session)>& visit) const;

 private:
  struct Call;
  Verdict execute(Message& message);
  /// A channel cannot have a call's worth of more: sets error and reason then.
  bool may_begin(Message& message) const;
  static Task<bool> ask(std::shared_ptr<ScriptCalls> self, std::uint64_t number, Message* message);
  bool connect(Call& call, Message& message);
  void make_channel(Call& call, ChannelDirection direction, std::string billid, const Message& execute);
  void end(std::uint64_t number, const DisconnectReason& reason);
  Call* of_channel(std::string_view id, std::uint64_t& number);

  Engine& engine_;
  Logger& log_;
  ScriptSettings settings_;
  std::map<std::uint64_t, std::unique_ptr<Call>> calls_;
  std::map<std::uint64_t, std::unique_ptr<Process>> ending_;  ///< asked to end; killed when they take too long
  std::uint64_t next_number_ = 1;
  TimerSinkId patience_;
  std::vector<Bus::Subscription> handlers_;
};

}  // namespace jackfield::extmodule
