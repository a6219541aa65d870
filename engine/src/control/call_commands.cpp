// Commands about calls: end them, make one, have something done to one.
#include "control/commands.h"

#include "lifecycle/server.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>

#include <fmt/format.h>

namespace jackfield {

using namespace messages;

Task<ControlAnswer> run_drop(CommandCall call) {
  auto which = call.word(1);
  if (which.empty()) co_return either(call, false, "%%=drop:fail=noarg", "say which channel, driver, or all");
  const bool all = which == "*" || which == "all";
  Message message = call.make(kCallDrop);
  if (!all) message.set(param::kId, which);
  if (call.words.size() > 2) message.set(param::kReason, call.rest(2));
  auto verdict = call.server.core().bus().dispatch(message);
  const bool dropped = co_await settle(std::move(verdict));
  if (dropped) co_return either(call, true, "%%=drop:success:" + which, fmt::format("Dropped {}", which));
  // Nobody answers for all: each driver drops its own and lets the next one know.
  if (all) co_return either(call, true, "%%=drop:unknown:all", "Told everybody to drop");
  co_return either(call, false, "%%=drop:fail:" + which, fmt::format("Could not drop {}: no driver knows it", which));
}

Task<ControlAnswer> run_call(CommandCall call) {
  if (call.words.size() < 3) co_return usage_of("call");
  const auto source = call.words[1], destination = call.rest(2);
  Message message = call.make(kCallExecute);
  message.set(param::kCallto, source);
  message.set(destination.find('/') != std::string::npos ? param::kDirect : param::kTarget, destination);
  auto verdict = call.server.core().bus().dispatch(message);
  const bool made = co_await settle(std::move(verdict));
  const std::string id(message.get(param::kId)), target(message.get(param::kTargetid));
  if (made) co_return either(call, true, fmt::format("%%=call:success:{}:{}", id, target), fmt::format("Calling {} as {}, then {}", source, id, destination));
  const std::string error(message.get(param::kError, message.get(param::kReason, "noroute")));
  co_return either(call, false, fmt::format("%%=call:fail:{}:{}", source, error), fmt::format("Could not call {}: {}", source, error));
}

Task<ControlAnswer> run_control(CommandCall call) {
  const auto channel = call.word(1);
  if (channel.empty()) co_return usage_of("control");
  Message message = call.make(kChanControl);
  message.set(call.server.core().channels().find(channel) != nullptr || channel.find('/') != std::string::npos ? param::kTargetid : param::kComponent, channel);
  for (std::size_t i = 2; i < call.words.size(); ++i) {
    const auto& word = call.words[i];
    const auto equals = word.find('=');
    if (equals == 0) co_return usage_of("control");
    if (equals != std::string::npos) message.set(word.substr(0, equals), word.substr(equals + 1));
    else if (i == 2) message.set(param::kOperation, word);
    else co_return usage_of("control");
  }
  const auto sent = message.parameters().size();
  auto verdict = call.server.core().bus().dispatch(message);
  const bool handled = co_await settle(std::move(verdict));
  if (!handled) co_return either(call, false, "%%=control:fail:" + channel, fmt::format("Could not control {}: nobody answers for it", channel));
  const bool done = message.flag(param::kRetVal, true);
  std::string told;
  for (const auto& [name, value] : message.parameters().subspan(std::min(sent, message.parameters().size())))
    if (name != param::kRetVal.name && name != param::kOperationStatus.name) told += fmt::format("\n  {}={}", name, value);
  co_return either(call, done, fmt::format("%%=control:{}:{}", done ? "success" : "error", channel),
                   fmt::format("{} {}{}", done ? "Done:" : "Refused by", channel, told));
}

}  // namespace jackfield
