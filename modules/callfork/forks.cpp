#include "forks.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>

namespace jackfield::callfork {

namespace {

namespace param = messages::param;

constexpr std::string_view kDriver = "fork";

DisconnectReason reason_in(const Message& message) {
  DisconnectReason reason{std::string(message.get(param::kReason))};
  for (const auto& [name, value] : message.parameters())
    if (name.starts_with("cause_") || name.starts_with("reason_") || name.starts_with("challenge.")) reason.parameters.emplace_back(name, value);
  return reason;
}

}  // namespace

Forks::Forks(Engine& engine, Duration silence) : context_{engine, silence} {
  context_.timers = engine.timers().add_sink([this](std::uint64_t id) { timer(id); });
}

Forks::~Forks() {
  handlers_.clear();
  forks_.clear();
  context_.engine.timers().remove_sink(context_.timers);
}

void Forks::start() {
  context_.forks = weak_from_this();
  const auto install = [this](const messages::MessageName& name, int priority, bool (Forks::*answer)(Message&)) {
    handlers_.push_back(context_.engine.bus().install({.message = name, .priority = priority, .track = std::string(kDriver)},
                                                      [this, answer](Message& message) -> Verdict { return (this->*answer)(message); }));
  };
  install(messages::kCallExecute, 100, &Forks::execute);
  install(messages::kCallRinging, 20, &Forks::news);
  install(messages::kCallProgress, 20, &Forks::news);
  install(messages::kCallAnswered, 20, &Forks::answered);
  install(messages::kCallDrop, 60, &Forks::drop);
  handlers_.push_back(context_.engine.bus().install({.message = messages::kChanDisconnected, .priority = 100, .track = std::string(kDriver)},
                                                    [this](Message& message) -> Verdict { return disconnected(message.get(param::kId), reason_in(message)); }));
}

bool Forks::execute(Message& message) {
  const auto callto = message.get(param::kCallto);
  if (callto != kDriver && !callto.starts_with("fork ")) return false;
  const auto* caller = message.payload<ChannelHandle>();
  if (!caller) return false;
  auto plan = read_plan(callto, message);
  if (plan.empty()) {
    message.set(param::kError, "noroute").set(param::kReason, "The fork has no targets");
    return false;
  }
  auto fork = std::make_unique<Fork>(context_, message, std::move(plan));
  if (!context_.engine.channels().connect(caller->id, fork->id())) {
    message.set(param::kError, "nocall").set(param::kReason, "The caller is gone");
    return false;
  }
  message.set(param::kPeerid, fork->id()).set(param::kTargetid, fork->id());
  forks_.emplace(fork->number(), std::move(fork)).first->second->start();
  return true;
}

Fork* Forks::find(std::string_view channel) const {
  const auto number = fork_number(channel);
  const auto found = number == 0 ? forks_.end() : forks_.find(number);
  return found == forks_.end() ? nullptr : found->second.get();
}

Fork* Forks::fork_of(const Message& message, std::string_view& slave) const {
  for (const std::string_view name : {std::string_view(param::kPeerid), std::string_view(param::kTargetid)}) {
    slave = message.get(name);
    if (Fork* fork = find(slave)) return fork;
  }
  return nullptr;
}

// The legs' messages go on to the caller's driver: these handlers only say who the caller is.

bool Forks::news(Message& message) {
  // A fork may be another's target: each names its caller, up to the one that is none of ours.
  std::string_view slave;
  while (Fork* fork = fork_of(message, slave))
    if (!fork->news(slave, message)) return true;
  return false;
}

bool Forks::answered(Message& message) {
  std::string_view slave;
  while (Fork* fork = fork_of(message, slave)) {
    const bool won = fork->answered(slave, message);
    settle(*fork);
    if (!won) return true;
  }
  return false;
}

bool Forks::disconnected(std::string_view channel, const DisconnectReason& reason) {
  Fork* fork = find(channel);
  if (!fork) return false;
  fork->disconnected(channel, reason);
  settle(*fork);
  return true;
}

bool Forks::drop(Message& message) {
  const auto id = message.get(param::kId);
  const auto reason = reason_in(message);
  if (id.empty() || id == kDriver) {
    drop_all(reason);
    return !id.empty();
  }
  Fork* fork = find(id);
  if (!fork) return false;
  if (id == fork->id()) fork->drop(reason);
  else fork->give_up(id, reason);
  settle(*fork);
  return true;
}

void Forks::drop_all(const DisconnectReason& reason) {
  for (const auto& [number, fork] : forks_) fork->drop(reason);
  forks_.clear();
}

void Forks::timer(std::uint64_t id) {
  const auto found = forks_.find(id / Fork::kTimers);
  if (found == forks_.end()) return;
  Fork& fork = *found->second;
  fork.timer(static_cast<Fork::Timer>(id % Fork::kTimers));
  settle(fork);
}

void Forks::settle(Fork& fork) {
  if (fork.state() != Fork::State::calling) forks_.erase(fork.number());
}

}  // namespace jackfield::callfork
