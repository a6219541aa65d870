// All forked calls: answers call.execute for `fork`, and passes what the legs say to the fork they belong to. Owned by the module;
// engine thread only.
#pragma once

#include <jackfield/bus.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fork.h"

namespace jackfield::callfork {

class Forks : public std::enable_shared_from_this<Forks> {
 public:
  Forks(Engine& engine, Duration silence);
  ~Forks();
  Forks(const Forks&) = delete;

  void start();
  void set_silence(Duration silence) { context_.silence = silence; }
  /// Ends every fork; the callers are told why.
  void drop_all(const DisconnectReason& reason);
  std::size_t size() const { return forks_.size(); }

  bool disconnected(std::string_view channel, const DisconnectReason& reason);

 private:
  bool execute(Message& message);
  bool news(Message& message);
  bool answered(Message& message);
  bool drop(Message& message);
  void timer(std::uint64_t id);
  /// The fork that a leg's message is for, and the slave it is connected to.
  Fork* fork_of(const Message& message, std::string_view& slave) const;
  Fork* find(std::string_view channel) const;
  void settle(Fork& fork);

  ForkContext context_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Fork>> forks_;
  std::vector<Bus::Subscription> handlers_;
};

}  // namespace jackfield::callfork
