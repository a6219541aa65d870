#include "call/redirects.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>

#include <algorithm>

#include "answer.h"
#include "call/outgoing_leg.h"
#include "call/parameters.h"
#include "call/reasons.h"
#include "settings.h"

namespace jackfield::sip::call {

namespace param = messages::param;

Redirects::~Redirects() { stop(); }

void Redirects::start() {
  auto& bus = services_.core.engine.bus();
  const auto install = [&](const messages::MessageName& name, int priority, Handler handler) {
    handlers_.push_back(bus.install({.message = name, .priority = priority, .track = "redirect"}, std::move(handler)));
  };
  // Before callfork and transfers, for whom the leg that was redirected has not failed yet.
  install(messages::kChanDisconnected, 40, [this](BusMessage& message) -> Verdict { return disconnected(message); });
  install(messages::kCallAnswered, 15, [this](BusMessage& message) -> Verdict {
    for (const std::string_view name : {std::string_view(param::kPeerid), std::string_view(param::kTargetid)})
      if (const auto found = redirects_.find(message.get(name)); found != redirects_.end()) redirects_.erase(found);
    return false;
  });
  install(messages::kChanHangup, 100, [this](BusMessage& message) -> Verdict {
    hung_up(message);
    return false;
  });
}

void Redirects::stop() {
  handlers_.clear();
  redirects_.clear();
}

Redirects::Redirect* Redirects::find(std::string_view channel, std::uint64_t attempt) {
  const auto found = redirects_.find(channel);
  return found == redirects_.end() || found->second.attempt != attempt ? nullptr : &found->second;
}

// From the leg.

DisconnectReason Redirects::redirected(const OutgoingLeg& leg, const Message& response, const std::vector<std::pair<std::string, std::string>>& headers,
                                       bool anonymous) {
  const auto policy = services_.core.settings->redirect;
  auto reason = from_response(response);
  if (policy == RedirectPolicy::pass) {
    if (auto contacts = passed_contacts(response); !contacts.empty()) set_parameter(reason, param::kCalleduri, contacts);
    return reason;
  }
  const bool allowed = policy == RedirectPolicy::anyone || (policy == RedirectPolicy::users && !leg.user().empty());
  services_.core.log.info("event=redirect channel={} peer={} user={} code={} followed={}", leg.id(), leg.peer(), log_value(leg.user()), response.status(),
                          allowed ? "yes" : "no");
  if (!allowed) return {"forbidden"};
  if (!leg.peer().empty()) follow(leg, response, headers, anonymous);
  return reason;
}

void Redirects::follow(const OutgoingLeg& leg, const Message& response, const std::vector<std::pair<std::string, std::string>>& headers, bool anonymous) {
  Redirect& redirect = redirects_[leg.peer()];
  redirect.targets.visited(leg.dialog().target());
  redirect.targets.add(response);

  auto& parameters = redirect.parameters;
  parameters.clear();
  // What the call may do is the right of who redirects it; the caller stays who he is.
  parameters.emplace_back(param::kCaller, leg.near_party());
  if (!leg.user().empty()) parameters.emplace_back(param::kUsername, leg.user());
  parameters.emplace_back(param::kReason, "redirect");
  parameters.emplace_back(param::kDiverter, leg.user().empty() ? leg.far_party() : leg.user());
  const auto hops = leg.dialog().max_forwards();
  parameters.emplace_back(param::kAntiloop, std::to_string(hops > 0 ? hops - 1 : 0));
  if (anonymous) parameters.emplace_back(param::kPrivacy, "user");
  else if (const auto from = parse_name_addr(leg.dialog().local_party()); from && !from->display.empty()) parameters.emplace_back(param::kCallername, without_escapes(from->display));
  for (const auto& [name, value] : headers) parameters.emplace_back("osip_" + name, value);
  if (const auto& offer = leg.sent_description(); !offer.empty()) {
    parameters.emplace_back(param::kRtpForward, "yes");
    parameters.emplace_back(param::kSdpRaw, offer);
  }
}

// The calling channel.

bool Redirects::disconnected(const BusMessage& message) {
  const auto found = redirects_.find(message.get(param::kId));
  if (found == redirects_.end()) return false;
  // A 6xx speaks for everywhere (RFC 3261 §21.6).
  const bool global = message.get(param::kCauseSip).starts_with('6');
  if (!global && go_on(found->first)) return true;
  redirects_.erase(found);
  return false;
}

bool Redirects::go_on(std::string_view id) {
  const auto found = redirects_.find(id);
  const Channel* channel = services_.core.engine.channels().find(id);
  if (found == redirects_.end() || !channel) return false;
  auto& redirect = found->second;
  const auto target = redirect.targets.next();
  if (!target) return false;
  redirect.attempt = ++last_;

  auto& core = services_.core;
  BusMessage message(messages::kCallPreroute, core.engine.clock().wall());
  channel->complete(message);
  for (const std::string_view old : {std::string_view(param::kPeerid), std::string_view(param::kTargetid), std::string_view(param::kLastpeerid)}) message.erase(old);
  for (const auto& [name, value] : redirect.parameters) message.set(name, value);
  message.set(param::kCalled, target->called).set(param::kSipUri, target->uri);
  if (!target->host.empty()) message.set(param::kDomain, target->host);
  limit_waiting(id, core.settings->call.maxcall);
  core.engine.spawn("call.redirect", route(services_.self, this, std::string(id), redirect.attempt, std::move(message)));
  return true;
}

Task<> Redirects::route(std::weak_ptr<Services> weak, Redirects* redirects, std::string channel, std::uint64_t attempt, BusMessage message) {
  for (const std::string_view name : {std::string_view(messages::kCallPreroute.name), std::string_view(messages::kCallRoute.name),
                                      std::string_view(messages::kCallExecute.name)}) {
    message.rename(name);
    message.erase(param::kHandlers);
    const bool execute = name == messages::kCallExecute.name, routing = name == messages::kCallRoute.name;
    Verdict verdict = false;
    {
      const auto services = weak.lock();
      if (!services) co_return;
      const LegTable::Scope scope(services->legs);
      if (execute) {
        message.set(param::kCallto, message.retvalue());
        for (const std::string_view old : {std::string_view(param::kError), std::string_view(param::kReason)}) message.erase(old);
        message.attach(std::make_shared<ChannelHandle>(ChannelHandle{channel}));
      }
      message.set_retvalue({});
      verdict = services->core.engine.bus().dispatch(message);
    }
    const bool handled = verdict.immediate() ? verdict.handled() : co_await settle(std::move(verdict));
    const auto services = weak.lock();
    if (!services || !redirects->find(channel, attempt)) co_return;
    const LegTable::Scope scope(services->legs);
    const bool looping = routing && message.number(param::kAntiloop, 1) <= 0;
    const bool refused = is_refusal(message) || (routing && (!handled || message.retvalue().empty())) || (execute && !handled);
    if (!looping && !refused) continue;
    redirects->failed(channel, looping ? DisconnectReason{"looping"} : refusal(message, "noroute"));
    co_return;
  }
  const auto services = weak.lock();
  if (!services || !redirects->find(channel, attempt)) co_return;
  const LegTable::Scope scope(services->legs);
  redirects->limit_waiting(channel, Duration(0));  // the new leg counts its own
}

void Redirects::failed(const std::string& id, const DisconnectReason& reason) {
  if (go_on(id)) return;
  redirects_.erase(id);
  auto& engine = services_.core.engine;
  const Channel* channel = engine.channels().find(id);
  if (!channel) return;
  // As if its other side had just left it: somebody may still take the call on.
  BusMessage told(messages::kChanDisconnected, engine.clock().wall());
  channel->complete(told);
  told.set(param::kReason, reason.reason);
  for (const auto& [name, value] : reason.parameters) told.set(name, value);
  engine.bus().enqueue(std::move(told), [weak = services_.self, id, reason](BusMessage&, bool handled) {
    const auto services = weak.lock();
    if (handled || !services) return;
    BusMessage drop(messages::kCallDrop, services->core.engine.clock().wall());
    drop.set(param::kId, id).set(param::kReason, reason.reason);
    for (const auto& [name, value] : reason.parameters) drop.set(name, value);
    services->core.engine.bus().enqueue(std::move(drop));
  });
}

void Redirects::limit_waiting(std::string_view channel, Duration limit) const {
  Leg* leg = services_.leg_of(channel);
  if (leg && !leg->answered() && !leg->gone()) leg->limit(Leg::Timer::maxcall, limit);
}

void Redirects::hung_up(const BusMessage& message) {
  if (const auto found = redirects_.find(message.get(param::kId)); found != redirects_.end()) redirects_.erase(found);
  // A channel that is no leg says nothing when it goes; the leg it was connected to does.
  const auto found = redirects_.find(message.get(param::kLastpeerid));
  if (found != redirects_.end() && !services_.core.engine.channels().find(found->first)) redirects_.erase(found);
}

}  // namespace jackfield::sip::call
