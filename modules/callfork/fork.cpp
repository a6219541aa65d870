#include "fork.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "forks.h"

namespace jackfield::callfork {

namespace {

namespace param = messages::param;

/// RFC 3326 §3.1: a phone that stopped ringing because another was picked up shows no missed call.
DisconnectReason answered_elsewhere() {
  return {"answered-elsewhere", {{std::string(param::kCauseSip), "200"}, {std::string(param::kReasonSip), "Call completed elsewhere"}}};
}

/// Parameters of the caller's call.execute that are its own channel's, or answers to it.
bool is_callers_own(std::string_view name) {
  for (const std::string_view own : {std::string_view(param::kId), std::string_view(param::kPeerid), std::string_view(param::kTargetid),
                                     std::string_view(param::kLastpeerid), std::string_view(param::kHandlers), std::string_view(param::kError),
                                     std::string_view(param::kReason), std::string_view(param::kCallid)})
    if (name == own) return true;
  return false;
}

}  // namespace

ForkChannel::ForkChannel(ChannelTable& table, std::string id, std::string_view billid, ChannelDirection direction)
    : Channel(std::move(id), "fork", direction), table_(table) {
  set_billid(std::string(billid));
  table_.add(*this);
}

ForkChannel::~ForkChannel() { table_.remove(*this); }

std::uint64_t fork_number(std::string_view channel) {
  if (!channel.starts_with("fork/")) return 0;
  std::uint64_t number = 0;
  std::from_chars(channel.data() + 5, channel.data() + channel.size(), number);
  return number;
}

Fork::Fork(const ForkContext& context, const Message& execute, std::vector<Group> plan)
    : context_(context), engine_(context.engine), execute_(messages::kCallExecute, context.engine.clock().wall()), plan_(std::move(plan)),
      stop_(execute.get(param::kForkStop)) {
  const auto automessage = execute.get(param::kForkAutomessage);
  if (execute.flag(param::kForkAutoring)) autoring_ = automessage == messages::kCallProgress.name ? automessage : messages::kCallRinging.name;
  if (!execute.get(param::kForkStop).empty() && !stop_.valid())
    engine_.log("callfork").warning("event=bad_fork_stop pattern={} reason=\"no regular expression: it stops nothing\"", log_value(execute.get(param::kForkStop)));
  for (const auto& [name, value] : execute.parameters())
    if (!is_fork_parameter(name) && !is_callers_own(name)) execute_.set(name, value);
  // The fork has no record of its own; the legs it calls have theirs.
  execute_.set_flag(param::kCdrtrack, false);
  master_ = std::make_unique<ForkChannel>(engine_.channels(), engine_.channels().next_id("fork"), execute.get(param::kBillid), ChannelDirection::outgoing);
  number_ = fork_number(master_->id());
}

Fork::~Fork() { stop_timers(); }

Fork::Slaves::iterator Fork::find(std::string_view slave) {
  return std::ranges::find_if(slaves_, [slave](const auto& each) { return each.channel->id() == slave; });
}

bool Fork::any_left(CallType type) const {
  return std::ranges::any_of(slaves_, [type](const auto& each) { return each.type == type; });
}

// Calling.

void Fork::start() {
  if (!autoring_.empty()) ring_at_once();
  call_group();
}

void Fork::ring_at_once() {
  Message message(autoring_, engine_.clock().wall());
  master_->complete(message);
  message.set(param::kTargetid, master_->peer()).set_flag(param::kCdrtrack, false);
  engine_.bus().enqueue(std::move(message));
}

void Fork::call_group() {
  const Group& group = plan_[next_group_++];
  silence_over_ = false;
  start_timer(Timer::silence, context_.silence);
  if (group.after.count() > 0) start_timer(Timer::next, group.after);
  for (const Target& target : group.targets) call_target(target);
}

void Fork::call_target(const Target& target) {
  auto channel = std::make_unique<ForkChannel>(engine_.channels(), fmt::format("{}/{}", id(), ++last_slave_), execute_.get(param::kBillid),
                                               ChannelDirection::incoming);
  Message call(messages::kCallExecute, engine_.clock().wall());
  call.merge_missing(execute_);
  call.set(param::kId, channel->id()).set(param::kCallto, target.callto);
  for (const auto& [name, value] : target.parameters) call.set(name, value);
  call.attach(std::make_shared<ChannelHandle>(ChannelHandle{channel->id()}));
  if (target.ringer) ringer_ = channel->id();
  slaves_.push_back({std::move(channel), target.type});
  // Each target's call.execute goes its own way: one that waits holds up no other.
  engine_.bus().enqueue(std::move(call), [forks = context_.forks](Message& asked, bool handled) {
    if (handled) return;
    if (const auto table = forks.lock()) table->disconnected(asked.get(param::kId), {std::string(asked.get(param::kError, "noroute"))});
  });
}

// From the legs.

bool Fork::news(std::string_view slave, Message& message) {
  if (state_ != State::calling || find(slave) == slaves_.end() || master_->peer().empty()) return false;
  if (!ringer_.empty() && slave != ringer_) return false;
  message.set(param::kPeerid, master_->peer()).set(param::kTargetid, master_->peer());
  return true;
}

bool Fork::answered(std::string_view slave, Message& message) {
  const auto winner = find(slave);
  if (state_ != State::calling || winner == slaves_.end()) return false;
  const std::string caller = master_->peer();
  const std::string leg = winner->channel->peer();
  if (caller.empty() || leg.empty()) return false;
  state_ = State::answered;
  stop_timers();

  Message replaced(messages::kChanReplaced, engine_.clock().wall());
  replaced.set_broadcast(true);
  replaced.set(param::kId, id()).set(param::kNewid, leg).set(param::kPeerid, caller);
  unsigned losers = 0;
  for (const auto& each : slaves_)
    if (each.channel->id() != slave && !each.channel->peer().empty()) replaced.set(fmt::format("id.{}", ++losers), each.channel->peer());
  engine_.bus().enqueue(std::move(replaced));

  engine_.channels().connect(caller, leg);
  slaves_.erase(winner);
  end_slaves(answered_elsewhere());
  message.set(param::kPeerid, caller).set(param::kTargetid, caller);
  return true;
}

void Fork::disconnected(std::string_view channel, const DisconnectReason& reason) {
  if (state_ != State::calling) return;
  if (channel == id()) {  // the caller gave up
    state_ = State::over;
    stop_timers();
    return end_slaves(reason);
  }
  failed(channel, reason);
}

void Fork::failed(std::string_view slave, const DisconnectReason& reason) {
  const auto lost = find(slave);
  if (lost == slaves_.end()) return;
  if (lost->channel->id() == ringer_) ringer_.clear();
  slaves_.erase(lost);
  refusals_.add(reason);
  if (Refusals::is_global(reason) || stop_.matches(reason.reason)) return end(reason);
  go_on(true);
}

bool Fork::only_silent_left() const {
  if (!silence_over_ || !refusals_.any()) return false;
  return std::ranges::none_of(slaves_, [this](const auto& slave) {
    const Channel* leg = engine_.channels().find(slave.channel->peer());
    return leg && (leg->heard() || leg->state() != ChannelState::started);
  });
}

void Fork::go_on(bool lost) {
  if (state_ != State::calling) return;
  const bool waits = any_left(CallType::regular) && !only_silent_left();
  if (next_group_ < plan_.size()) {
    if (waits && !(lost && plan_[next_group_ - 1].next == Group::Next::lost)) return;
    stop_timers();
    if (!waits) end_slaves({"noanswer"}, Ending::not_persistent);
    return call_group();
  }
  if (waits) return;
  if (!any_left(CallType::persistent) || only_silent_left()) return end(refusals_.best());
  end_slaves({"noanswer"}, Ending::not_persistent);
}

// Ends.

void Fork::end_slaves(const DisconnectReason& reason, Ending which) {
  std::erase_if(slaves_, [&](const Slave& slave) {
    if (which == Ending::not_persistent && slave.type == CallType::persistent) return false;
    engine_.channels().disconnect(slave.channel->id(), reason);
    return true;
  });
}

void Fork::end(const DisconnectReason& reason) {
  state_ = State::over;
  stop_timers();
  end_slaves({reason.reason});
  engine_.channels().disconnect(id(), reason);
}

void Fork::give_up(std::string_view slave, const DisconnectReason& reason) {
  engine_.channels().disconnect(slave, reason);
  if (state_ == State::calling) failed(slave, reason);
}

void Fork::drop(const DisconnectReason& reason) {
  if (state_ == State::calling) end(reason);
}

// Time.

void Fork::start_timer(Timer timer, Duration delay) {
  const auto which = static_cast<std::uint64_t>(timer);
  running_[which] = engine_.timers().start(context_.timers, number_ * kTimers + which, delay);
}

void Fork::stop_timers() {
  for (auto& timer : running_) {
    if (timer) engine_.timers().stop(timer);
    timer = {};
  }
}

void Fork::timer(Timer timer) {
  if (state_ != State::calling) return;
  running_[static_cast<std::size_t>(timer)] = {};
  if (timer == Timer::silence) {
    silence_over_ = true;
    return go_on(false);
  }
  if (next_group_ >= plan_.size()) return;
  const bool instead = plan_[next_group_ - 1].next == Group::Next::instead;
  stop_timers();
  if (instead) end_slaves({"noanswer"}, Ending::not_persistent);
  call_group();
}

}  // namespace jackfield::callfork
