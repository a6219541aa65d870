#include "fallback.h"

#include <jackfield/messages/call.h>

#include <algorithm>
#include <array>

namespace jackfield::register_module {
namespace param = messages::param;
namespace {

/// Of one asking, not of the call.
constexpr std::array<std::string_view, 4> kPassing{param::kHandlers.name, param::kError.name, param::kReason.name, param::kCallto.name};

/// What ended the call to the target before.
std::string_view reason_of(const Message& disconnected) { return disconnected.get(param::kError, disconnected.get(param::kReason)); }

}  // namespace

void Fallback::keep(const Message& route, std::vector<Route> further) {
  const auto id = route.get(param::kId);
  if (further.empty() || !engine_.channels().find(id)) return;
  forget_gone();
  auto& call = calls_[std::string(id)];
  call = {};
  for (const auto& [name, value] : route.parameters())
    if (std::ranges::find(kPassing, name) == kPassing.end()) call.parameters.emplace_back(name, value);
  call.routes.assign(std::make_move_iterator(further.begin()), std::make_move_iterator(further.end()));
}

/// Most are forgotten when their call is answered or ends. A channel that ends without a word must not stay here for ever.
void Fallback::forget_gone() {
  if (calls_.size() < sweep_at_) return;
  std::erase_if(calls_, [this](const auto& call) { return engine_.channels().find(call.first) == nullptr; });
  sweep_at_ = std::max<std::size_t>(64, 2 * calls_.size());
}

bool Fallback::stops(const Message& disconnected) const { return stop_ && stop_->matches(reason_of(disconnected)); }

Verdict Fallback::disconnected(Message& message) {
  const auto found = calls_.find(std::string(message.get(param::kId)));
  if (found == calls_.end()) return false;
  if (stops(message) || found->second.routes.empty()) {
    calls_.erase(found);
    return false;
  }
  return go_on(shared_from_this(), found->first, message);
}

Message Fallback::execute(const Channel& channel, const Call& call, const Route& route) const {
  Message message(messages::kCallExecute, engine_.clock().wall());
  set_parameters(message, call.parameters);
  set_parameters(message, route.parameters);
  channel.complete(message);
  message.set(param::kCallto, route.callto);
  if (message.get(param::kRtpForward) == "possible") message.set(param::kRtpForward, "yes");
  message.attach(std::make_shared<ChannelHandle>(ChannelHandle{channel.id()}));
  return message;
}

Task<bool> Fallback::go_on(std::shared_ptr<Fallback> self, std::string id, Message& message) {
  for (;;) {
    const auto found = self->calls_.find(id);
    const auto* channel = self->engine_.channels().find(id);
    if (found == self->calls_.end()) co_return false;
    if (!channel || found->second.routes.empty()) {
      self->calls_.erase(found);
      co_return false;
    }
    const Route route = std::move(found->second.routes.front());
    found->second.routes.pop_front();
    self->log_.info("event=next-route chan={} target={} reason={}", id, log_value(route.callto), log_value(reason_of(message)));
    Message call = self->execute(*channel, found->second, route);
    auto verdict = self->engine_.bus().dispatch(call);
    const bool handled = verdict.immediate() ? verdict.handled() : co_await settle(std::move(verdict));
    if (handled) {
      for (const std::string_view name : {param::kPeerid.name, param::kTargetid.name, param::kTimeout.name, param::kIprack.name})
        if (call.has(name)) message.set(name, call.get(name));
      co_return true;
    }
    // Why this one failed decides about the next.
    if (call.has(param::kError)) message.set(param::kError, call.get(param::kError));
    if (self->stops(message)) {
      self->calls_.erase(id);
      co_return false;
    }
  }
}

void Fallback::answered(const Message& message) {
  if (calls_.empty()) return;
  for (const std::string_view name : {param::kPeerid.name, param::kTargetid.name}) calls_.erase(std::string(message.get(name)));
}

void Fallback::hungup(const Message& message) {
  if (!calls_.empty()) calls_.erase(std::string(message.get(param::kId)));
}

}  // namespace jackfield::register_module
