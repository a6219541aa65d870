// The servers of one connection and which of them is in use: REGISTER, OPTIONS and calls share it and move together (N-1). What was
// resolved of each is kept in its order, so a name that stands for several machines is a list of its own (EL-12). No I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "line/settings.h"
#include "stack/server_location.h"

namespace jackfield::sip::line {

/// A server's host and the machines it stands for, in the order to try them; one of them is in use.
class Way {
 public:
  explicit Way(stack::Destination destination) : destination_(std::move(destination)) {}

  const stack::Destination& destination() const { return destination_; }
  const std::vector<stack::Hop>& hops() const { return hops_; }
  const stack::Hop* current() const { return hops_.empty() ? nullptr : &hops_[current_]; }

  /// What a lookup found. The machine in use stays so while it is among them, and equal sets keep their order: the weights of RFC
  /// 2782 are drawn once, not whenever a record's time is up (N-1).
  void resolved(const std::vector<stack::Hop>& hops);
  /// The machine in use failed. False: that was the last; the first is the next.
  bool advance();
  void rewind() { current_ = 0; }
  /// A request that was answered there makes it the one in use. False: it is none of them.
  bool use(const stack::Hop& hop);

 private:
  stack::Destination destination_;
  std::vector<stack::Hop> hops_;
  std::size_t current_ = 0;
};

using ServerIndex = std::size_t;

class Servers {
 public:
  enum class Purpose : std::uint8_t { calls, registration };

  explicit Servers(const ConnectionSettings& settings);

  std::size_t size() const { return servers_.size(); }
  ServerIndex active() const { return active_; }
  bool at_main() const { return active_ == 0; }
  /// Whether other servers are gone to at all.
  void set_failover(bool failover) { failover_ = failover; }
  /// Whether there is another one to go to.
  bool alternatives() const;
  Way& way(ServerIndex server, Purpose purpose);
  const Way& way(ServerIndex server, Purpose purpose) const;
  /// Each once: for lookups and for knowing who calls.
  template <class Function>
  void each_way(Function function) {
    if (outbound_) function(*outbound_);
    for (auto& server : servers_) {
      if (!outbound_) function(server.proxy);
      if (!outbound_ && server.registrar) function(*server.registrar);
    }
  }
  template <class Function>
  void each_way(Function function) const {
    const_cast<Servers*>(this)->each_way([&](const Way& way) { function(way); });
  }

  /// The active one failed: the next machine of its name, then the next server, cyclically (EL-6, EL-7). False: all of them have
  /// failed since one answered or since begin_cycle(); whoever asks waits before he goes on.
  bool move_on(Purpose purpose);
  /// A new round; what failed before is forgotten.
  void begin_cycle() { failures_ = 0; }
  /// The active one answered.
  void answered() { failures_ = 0; }
  /// Another one is in use from now on.
  void make_active(ServerIndex server);

 private:
  struct Server {
    Way proxy;
    std::optional<Way> registrar;  // where it is another machine
  };
  std::vector<Server> servers_;
  std::optional<Way> outbound_;
  bool failover_;
  ServerIndex active_ = 0;
  std::size_t failures_ = 0;  // servers in a row, each with all of its machines
};

}  // namespace jackfield::sip::line
