// The network between the server of a CallWorld and phones that have transactions of their own: datagrams are lost, repeated, late and
// overtaken as the dice say; connections keep their order until somebody cuts them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "call_world.h"

namespace jackfield::sip::call {

/// All that a run decides by chance. `chance` is in percent.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : generator_(seed) {}
  std::size_t roll(std::size_t sides) { return generator_() % sides; }
  bool chance(unsigned percent) { return roll(100) < percent; }
  Duration within(Duration most) { return Duration(static_cast<Duration::rep>(roll(static_cast<std::size_t>(most.count()) + 1))); }
  template <class T>
  T pick(std::initializer_list<T> all) {
    return all.begin()[roll(all.size())];
  }

 private:
  std::mt19937_64 generator_;
};

struct Weather {
  unsigned lost = 0, repeated = 0;  ///< percent
  Duration late{0};                 ///< at most
};

/// One end of the network that is not the server.
class Attached {
 public:
  virtual ~Attached() = default;
  /// Something came for it over this connection (0: a datagram).
  virtual void deliver(std::uint32_t connection, stack::TransportKind kind, const std::string& bytes) = 0;
  /// What the server takes it for.
  virtual const std::string& user() const = 0;
};

class LossyNetwork {
 public:
  LossyNetwork(CallWorld& world, Dice& dice, Weather weather);
  ~LossyNetwork();
  LossyNetwork(const LossyNetwork&) = delete;

  CallWorld& world() { return world_; }
  Dice& dice() { return dice_; }
  void attach(const std::string& address, Attached& end) { ends_[address] = &end; }
  void send(const stack::FlowId& from, std::string bytes);
  /// Does it then; what is still to be done when the network ends is not done.
  void after(Duration delay, std::function<void()> work);
  /// From now on everything arrives, at once.
  void clear_up() { weather_ = {}; }

 private:
  void carry(bool reliable, std::function<void()> deliver);

  CallWorld& world_;
  Dice& dice_;
  Weather weather_;
  std::map<std::string, Attached*> ends_;
  TimerSinkId timers_;
  std::map<std::uint64_t, std::function<void()>> waiting_;
  std::uint64_t last_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace jackfield::sip::call
