// One forked call: a master channel connected to the caller and a slave channel for each target, connected to the leg that calls it.
// The first answer wins; the caller is then connected to that leg and the fork is gone. Owned by Forks; engine thread only.
#pragma once

#include <jackfield/channel.h>
#include <jackfield/engine.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plan.h"
#include "refusals.h"
#include "stop_pattern.h"

namespace jackfield::callfork {

class Forks;

/// What every fork works with. Outlives them.
struct ForkContext {
  Engine& engine;
  Duration silence{4000};  ///< phones that have sent nothing for this long do not hold up a refusal (D15)
  TimerSinkId timers = 0;
  std::weak_ptr<Forks> forks = {};
};

/// A `fork/N` or `fork/N/M`.
class ForkChannel final : public Channel {
 public:
  ForkChannel(ChannelTable& table, std::string id, std::string_view billid, ChannelDirection direction);
  ~ForkChannel() override;

 private:
  ChannelTable& table_;
};

/// The N of `fork/N` and of `fork/N/M`; 0: no channel of ours.
std::uint64_t fork_number(std::string_view channel);

class Fork {
 public:
  enum class State : std::uint8_t { calling, answered, over };
  enum class Timer : std::uint8_t { silence, next };
  static constexpr std::uint64_t kTimers = 2;

  /// `execute` is the call.execute of the caller; the fork's own copy of it calls each target.
  Fork(const ForkContext& context, const Message& execute, std::vector<Group> plan);
  ~Fork();
  Fork(const Fork&) = delete;

  std::uint64_t number() const { return number_; }  ///< the N of `fork/N`
  const std::string& id() const { return master_->id(); }
  State state() const { return state_; }

  /// Calls the first group. The caller is connected already.
  void start();

  /// call.ringing and call.progress of a leg: made the caller's. False: nobody is to hear it.
  bool news(std::string_view slave, Message& message);
  /// call.answered of a leg: the first connects caller and leg. False: too late.
  bool answered(std::string_view slave, Message& message);
  /// One of the fork's channels lost its peer, or never got one: a leg ended or was not made, or the caller gave up.
  void disconnected(std::string_view channel, const DisconnectReason& reason);
  /// Somebody ends one leg of the fork.
  void give_up(std::string_view slave, const DisconnectReason& reason);
  /// Somebody ends the whole fork.
  void drop(const DisconnectReason& reason);
  void timer(Timer timer);

 private:
  struct Slave {
    std::unique_ptr<ForkChannel> channel;
    CallType type;
  };
  using Slaves = std::vector<Slave>;
  enum class Ending : std::uint8_t { all, not_persistent };

  /// `fork.autoring`: the caller hears ringing before any phone does.
  void ring_at_once();
  void call_group();
  void call_target(const Target& target);
  /// Somebody failed (`lost`) or time passed: goes on to the next group, or refuses the caller.
  void go_on(bool lost);
  bool any_left(CallType type) const;
  void failed(std::string_view slave, const DisconnectReason& reason);
  /// True when every leg still out has sent nothing although its time is over.
  bool only_silent_left() const;
  void end_slaves(const DisconnectReason& reason, Ending which = Ending::all);
  void end(const DisconnectReason& reason);
  void start_timer(Timer timer, Duration delay);
  void stop_timers();
  Slaves::iterator find(std::string_view slave);

  const ForkContext& context_;
  Engine& engine_;
  std::uint64_t number_ = 0;
  State state_ = State::calling;
  Message execute_;
  std::vector<Group> plan_;
  std::size_t next_group_ = 0;
  unsigned last_slave_ = 0;
  bool silence_over_ = false;
  Refusals refusals_;
  StopPattern stop_;
  std::string autoring_;  // the message to send at once; empty: none
  std::string ringer_;    // the slave whose news alone the caller hears; empty: all
  std::unique_ptr<ForkChannel> master_;
  Slaves slaves_;
  TimerHandle running_[kTimers];
};

}  // namespace jackfield::callfork
