#include "script_calls.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace jackfield::extmodule {
namespace {

namespace param = messages::param;

constexpr std::string_view kDriver = "external", kPrefix = "external/";
constexpr Duration kPatience = std::chrono::seconds(2);

/// The script's end of a call.
class ScriptChannel final : public Channel {
 public:
  ScriptChannel(ChannelTable& table, std::string id, ChannelDirection direction, std::string billid)
      : Channel(std::move(id), std::string(kDriver), direction), table_(table) {
    set_billid(std::move(billid));
    set_heard();
    table_.add(*this);
  }
  ~ScriptChannel() override { table_.remove(*this); }

 private:
  ChannelTable& table_;
};

}  // namespace

struct ScriptCalls::Call {
  std::string name;
  bool has_channel;
  std::unique_ptr<Process> process;        ///< none: it connected to a socket
  std::shared_ptr<Session> session;
  std::unique_ptr<ScriptChannel> channel;  ///< once the script took the call
};

ScriptCalls::ScriptCalls(Engine& engine, ScriptSettings settings) : engine_(engine), log_(engine.log("extmodule")), settings_(std::move(settings)) {
  patience_ = engine.timers().add_sink([this](std::uint64_t number) { ending_.erase(number); });
}

ScriptCalls::~ScriptCalls() {
  handlers_.clear();
  drop_all("shutdown");
  engine_.timers().remove_sink(patience_);
}

void ScriptCalls::start() {
  const auto install = [this](const messages::MessageName& name, int priority, Handler handler) {
    handlers_.push_back(engine_.bus().install({.message = name, .priority = priority, .track = "extmodule"}, std::move(handler)));
  };
  install(messages::kCallExecute, settings_.locals.priority, [this](Message& message) { return execute(message); });
  install(messages::kCallDrop, 60, [this](Message& message) -> Verdict {
    const auto id = message.get(param::kId);
    if (id.empty() || id == kDriver) return drop_all(message.get(param::kReason)), !id.empty();
    std::uint64_t number = 0;
    if (!of_channel(id, number)) return false;
    end(number, {std::string(message.get(param::kReason))});
    return true;
  });
  install(messages::kCallAnswered, 1, [this](Message& message) -> Verdict {
    std::uint64_t number = 0;
    for (const std::string_view name : {std::string_view(param::kPeerid), std::string_view(param::kTargetid)})
      if (Call* call = calls_.empty() ? nullptr : of_channel(message.get(name), number)) call->channel->set_answered();
    return false;  // the script itself may want to know
  });
  install(messages::kChanDisconnected, 100, [this](Message& message) -> Verdict {
    std::uint64_t number = 0;
    Call* call = of_channel(message.get(param::kId), number);
    // Unless the script wants to know, and then takes its end elsewhere, the channel is dropped.
    if (!call || !call->session || !call->session->locals().disconnected) return false;
    return call->session->ask(message);
  });
}

ScriptCalls::Call* ScriptCalls::of_channel(std::string_view id, std::uint64_t& number) {
  if (id.empty()) return nullptr;
  const auto found = std::ranges::find_if(calls_, [&](const auto& entry) { return entry.second->channel && entry.second->channel->id() == id; });
  if (found == calls_.end()) return nullptr;
  number = found->first;
  return found->second.get();
}

Verdict ScriptCalls::execute(Message& message) {
  auto callto = message.get(param::kCallto);
  if (!callto.starts_with(kPrefix)) return false;
  callto.remove_prefix(kPrefix.size());
  const auto refuse = [&](std::string_view error, std::string_view reason) {
    message.set(param::kError, error).set(param::kReason, reason);
    return false;
  };
  const auto kind = callto.substr(0, callto.find('/'));
  if (kind == "play" || kind == "record" || kind == "playrec") return refuse("nomedia", "Scripts have no audio here");
  if ((kind != "nochan" && kind != "nodata") || callto.size() <= kind.size() + 1) return refuse("noroute", "external/nochan/SCRIPT or external/nodata/SCRIPT is expected");
  if (!may_begin(message)) return false;
  callto.remove_prefix(kind.size() + 1);
  const auto blank = callto.find(' ');
  const std::string script(callto.substr(0, blank)), argument(blank == callto.npos ? std::string_view() : callto.substr(blank + 1));

  std::vector<std::string> command{script_path(engine_, settings_, script).string()};
  if (!argument.empty()) command.push_back(argument);
  const auto number = next_number_++;
  auto process = Process::start(engine_, std::move(command), [weak = weak_from_this(), number](const std::string&, bool) {
    // In a turn of its own: the process itself says so. One that is called still has its last lines to be read.
    if (const auto self = weak.lock()) self->engine_.post([self, number] { self->ending_.erase(number); });
  });
  if (!process) {
    log_.error("event=script-failed script={} reason={}", log_value(script), log_value(process.error()));
    return refuse("failure", "The script does not start");
  }
  auto call = std::make_unique<Call>();
  call->name = fmt::format("{}#{}", script, number);
  call->has_channel = kind == "nodata";
  call->process = std::move(*process);
  call->session = Session::begin(engine_, call->name, call->process->take_connection(), settings_.locals, {.role = Role::channel},
                                 [this, number](const Session& session, std::string_view) { end(number, {session.locals().reason}); });
  call->session->hold();
  calls_.emplace(number, std::move(call));
  return ask(shared_from_this(), number, &message);
}

bool ScriptCalls::may_begin(Message& message) const {
  const auto refuse = [&](std::string_view error, std::string_view reason) {
    message.set(param::kError, error).set(param::kReason, reason);
    return false;
  };
  if (engine_.draining()) return refuse("shutdown", "Shutting down");
  if (calls_.size() >= settings_.most_calls) return refuse("congestion", "Too many calls have a script of their own");
  return true;
}

bool ScriptCalls::begin(const std::shared_ptr<Session>& session, Message& message) {
  if (!may_begin(message)) return false;
  auto& channels = engine_.channels();
  auto call = std::make_unique<Call>();
  call->name = session->name();
  call->has_channel = true;
  call->session = session;
  make_channel(*call, ChannelDirection::incoming, channels.next_billid(), message);
  call->channel->complete(message);
  calls_.emplace(next_number_++, std::move(call));
  return true;
}

void ScriptCalls::session_ended(const Session& session) {
  const auto found = std::ranges::find_if(calls_, [&](const auto& entry) { return entry.second->session.get() == &session; });
  if (found != calls_.end()) end(found->first, {session.locals().reason});
}

/// Under the name the script gave itself, or the driver's next.
void ScriptCalls::make_channel(Call& call, ChannelDirection direction, std::string billid, const Message& execute) {
  auto& channels = engine_.channels();
  const auto& named = call.session->locals().id;
  auto id = named.empty() || channels.find(named) ? channels.next_id(kDriver) : named;
  call.channel = std::make_unique<ScriptChannel>(channels, id, direction, std::move(billid));
  call.session->use_channel(std::move(id));
  Message startup(messages::kChanStartup, engine_.clock().wall());
  call.channel->complete(startup);
  for (const auto& name : {param::kCaller, param::kCalled, param::kCallername})
    if (execute.has(name)) startup.set(name, execute.get(name));
  engine_.bus().enqueue(std::move(startup));
}

Task<bool> ScriptCalls::ask(std::shared_ptr<ScriptCalls> self, std::uint64_t number, Message* message) {
  auto verdict = self->calls_.at(number)->session->ask(*message);
  const bool taken = co_await settle(std::move(verdict));
  const auto found = self->calls_.find(number);
  if (found == self->calls_.end()) {
    if (taken) message->set(param::kError, "failure").set(param::kReason, "The script has ended");
    co_return false;
  }
  if (!taken || !self->connect(*found->second, *message)) {
    self->end(number, {});
    co_return false;
  }
  found->second->session->release();
  co_return true;
}

/// Makes the script the caller's other end.
bool ScriptCalls::connect(Call& call, Message& message) {
  if (!call.has_channel) return true;
  const auto* handle = message.payload<ChannelHandle>();
  const auto caller = handle ? handle->id : std::string();
  make_channel(call, ChannelDirection::outgoing, std::string(message.get(param::kBillid)), message);
  const auto& id = call.channel->id();
  if (caller.empty() || !engine_.channels().connect(caller, id)) {
    message.set(param::kError, "nocall").set(param::kReason, "The caller is gone");
    return false;
  }
  message.set(param::kPeerid, id).set(param::kTargetid, id);
  return true;
}

void ScriptCalls::end(std::uint64_t number, const DisconnectReason& reason) {
  auto found = calls_.extract(number);
  if (!found) return;
  const std::unique_ptr<Call> call = std::move(found.mapped());
  if (const auto session = call->session) session->close("the call has ended");
  if (call->channel) {
    Message hangup(messages::kChanHangup, engine_.clock().wall());
    call->channel->complete(hangup);
    hangup.set(param::kReason, reason.reason);
    engine_.bus().enqueue(std::move(hangup));
    engine_.channels().disconnect(call->channel->id(), reason);
    call->channel->set_state(ChannelState::hungup);
    call->channel.reset();
  }
  if (!call->process || call->process->pid() <= 0) return;
  call->process->terminate();
  ending_.emplace(number, std::move(call->process));
  engine_.timers().start(patience_, number, kPatience);
}

void ScriptCalls::drop_all(std::string_view reason) {
  while (!calls_.empty()) end(calls_.begin()->first, {std::string(reason)});
}

void ScriptCalls::each_session(const std::function<void(const Session&)>& visit) const {
  for (const auto& [number, call] : calls_)
    if (call->session && call->process) visit(*call->session);
}

}  // namespace jackfield::extmodule
