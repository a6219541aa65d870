// Further targets of a call, tried one after another when the one before fails (COMPAT §5): each is a new call.execute for the calling
// channel, until one answers, the call ends, or a reason says to stop. Engine thread only.
#pragma once

#include "pattern/pattern.h"
#include "rows.h"

#include <jackfield/bus.h>
#include <jackfield/engine.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace jackfield::register_module {

class Fallback : public std::enable_shared_from_this<Fallback> {
 public:
  struct Route {
    std::string callto;
    Parameters parameters;
  };

  Fallback(Engine& engine, Logger& log) : engine_(engine), log_(log) {}

  /// No further target is tried after reasons that match.
  void use(std::optional<pattern::Pattern> stop) { stop_ = std::move(stop); }
  /// `route` is the call.route of the channel `id`; nothing is kept where that is no channel.
  void keep(const Message& route, std::vector<Route> further);

  /// chan.disconnected: true when the call went on.
  Verdict disconnected(Message& message);
  /// call.answered: of the calling channel, named by peerid or targetid.
  void answered(const Message& message);
  /// chan.hangup.
  void hungup(const Message& message);

  std::size_t calls() const { return calls_.size(); }

 private:
  struct Call {
    Parameters parameters;  ///< of its call.route
    std::deque<Route> routes;
  };
  static Task<bool> go_on(std::shared_ptr<Fallback> self, std::string id, Message& message);
  bool stops(const Message& disconnected) const;
  Message execute(const Channel& channel, const Call& call, const Route& route) const;
  void forget_gone();

  Engine& engine_;
  Logger& log_;
  std::optional<pattern::Pattern> stop_;
  std::unordered_map<std::string, Call> calls_;  ///< by channel
  std::size_t sweep_at_ = 64;
};

}  // namespace jackfield::register_module
