#include "call/redirects.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>

#include <algorithm>

#include "answer.h"
#include "call/outgoing_leg.h"
#include "call/parameters.h"
#include "call/reasons.h"
#include "call/routing.h"
#include "call/stand_in.h"
#include "settings.h"

namespace jackfield::sip::call {

namespace param = messages::param;

namespace {

constexpr std::string_view kDriver = "redirect";

}  // namespace

/// The call to the next target, while its channel waits for it.
class Redirects::NextCall final : public RoutedCall {
 public:
  NextCall(std::string channel, std::uint64_t attempt) : channel_(std::move(channel)), attempt_(attempt) {}
  const Channel* waiting(const Services& services) const override {
    return services.redirects->find(channel_, attempt_) ? services.core.engine.channels().find(channel_) : nullptr;
  }
  void accepted(Services& services, const BusMessage&) override { services.redirects->limit_waiting(channel_, Duration(0)); }  // the new leg counts its own
  void rejected(Services& services, const DisconnectReason& reason) override { services.redirects->failed(channel_, reason); }

 private:
  std::string channel_;
  std::uint64_t attempt_;
};

Redirects::Redirects(Services& services)
    : services_(services), timers_(services.core.engine.timers().add_sink([this](std::uint64_t attempt) { overdue(attempt); })) {}

Redirects::~Redirects() {
  stop();
  services_.core.engine.timers().remove_sink(timers_);
}

void Redirects::start() {
  auto& bus = services_.core.engine.bus();
  const auto install = [&](const messages::MessageName& name, int priority, Handler handler) {
    handlers_.push_back(bus.install({.message = name, .priority = priority, .track = "redirect"}, std::move(handler)));
  };
  // Before callfork and transfers, for whom the leg that was redirected has not failed yet.
  install(messages::kChanDisconnected, 40, [this](BusMessage& message) -> Verdict { return disconnected(message); });
  install(messages::kCallAnswered, 15, [this](BusMessage& message) -> Verdict {
    if (const auto found = answered_by(message); found != redirects_.end() && !found->second.stand_in) take(found);
    return false;
  });
  // After callfork, whose targets may be the new call.
  install(messages::kCallAnswered, 30, [this](BusMessage& message) -> Verdict {
    if (const auto found = answered_by(message); found != redirects_.end() && found->second.stand_in) part_from(*found, message.get(param::kId));
    return false;
  });
  install(messages::kCallDrop, 60, [this](BusMessage& message) -> Verdict { return dropped(message); });
  install(messages::kChanHangup, 100, [this](BusMessage& message) -> Verdict {
    hung_up(message);
    return false;
  });
}

void Redirects::stop() {
  handlers_.clear();
  while (!redirects_.empty()) take(redirects_.begin());
}

Redirects::Redirect Redirects::take(Table::iterator found) {
  services_.core.engine.timers().stop(found->second.limit);
  Redirect redirect = std::move(found->second);
  redirects_.erase(found);
  return redirect;
}

Redirects::Redirect* Redirects::find(std::string_view channel, std::uint64_t attempt) {
  const auto found = redirects_.find(channel);
  return found == redirects_.end() || found->second.attempt != attempt ? nullptr : &found->second;
}

// From the leg.

DisconnectReason Redirects::redirected(OutgoingLeg& leg, const Message& response, const std::vector<std::pair<std::string, std::string>>& headers,
                                       bool anonymous) {
  const auto policy = services_.core.settings->redirect;
  auto reason = from_response(response);
  if (policy == RedirectPolicy::pass) {
    if (auto contacts = passed_contacts(response); !contacts.empty()) set_parameter(reason, param::kCalleduri, contacts);
    return reason;
  }
  const auto* connection = services_.core.connections && !leg.line().empty() ? services_.core.connections->find(leg.line()) : nullptr;
  const bool general = policy == RedirectPolicy::anyone || (policy == RedirectPolicy::users && !leg.user().empty());
  const bool allowed = connection ? connection->settings().redirect.value_or(general) : general;
  services_.core.log.info("event=redirect channel={} peer={} user={} code={} followed={}", leg.id(), leg.peer(), log_value(leg.user()), response.status(),
                          allowed ? "yes" : "no");
  if (!allowed) return {"forbidden"};
  if (!leg.peer().empty()) follow(redirects_[leg.peer()], leg, response, headers, anonymous);
  else follow_first_party(leg, response, headers, anonymous);
  return reason;
}

void Redirects::follow_first_party(OutgoingLeg& leg, const Message& response, const std::vector<std::pair<std::string, std::string>>& headers, bool anonymous) {
  auto onward = leg.release_onward();
  if (!onward) return;
  auto stand_in = std::make_unique<StandIn>(services_.core.engine.channels(), kDriver, leg.billid());
  const std::string id = stand_in->id();
  Redirect& redirect = redirects_[id];
  redirect.stand_in = std::move(stand_in);
  redirect.onward = std::move(onward);
  redirect.first = leg.id();
  follow(redirect, leg, response, headers, anonymous);
  if (!go_on(id)) take(redirects_.find(id));
}

void Redirects::follow(Redirect& redirect, const OutgoingLeg& leg, const Message& response, const std::vector<std::pair<std::string, std::string>>& headers,
                       bool anonymous) {
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
  const auto left = redirects_.find(message.get(param::kLastpeerid));
  if (left != redirects_.end() && left->second.answered_by == message.get(param::kId)) return take_on(take(left));
  const auto found = redirects_.find(message.get(param::kId));
  if (found == redirects_.end()) return false;
  // A 6xx speaks for everywhere (RFC 3261 §21.6).
  const bool global = message.get(param::kCauseSip).starts_with('6');
  if (!global && go_on(found->first)) return true;
  return take(found).stand_in != nullptr;  // then nobody is left to hear of it
}

Redirects::Table::iterator Redirects::answered_by(const BusMessage& message) {
  const auto found = redirects_.find(message.get(param::kPeerid));
  return found != redirects_.end() ? found : redirects_.find(message.get(param::kTargetid));
}

void Redirects::part_from(Table::value_type& redirect, std::string_view answered_by) {
  redirect.second.answered_by = answered_by;
  redirect.second.attempt = 0;
  limit_waiting(redirect.first, Duration(0));
  services_.core.engine.channels().disconnect(redirect.first, {"redirected"});  // take_on() follows
}

bool Redirects::take_on(Redirect redirect) {
  const LegTable::Scope scope(services_.legs);
  Leg* leg = services_.leg_of(redirect.answered_by);
  if (!leg || leg->gone() || leg->direction() != ChannelDirection::outgoing) return false;
  BusMessage told(messages::kChanReplaced, services_.core.engine.clock().wall());
  told.set_broadcast(true);
  told.set(param::kId, redirect.first).set(param::kNewid, leg->id());
  services_.core.engine.bus().enqueue(std::move(told));
  static_cast<OutgoingLeg*>(leg)->go_on_instead(std::move(redirect.onward));
  return true;
}

bool Redirects::dropped(const BusMessage& message) {
  const auto found = redirects_.find(message.get(param::kId));
  return found != redirects_.end() && found->second.stand_in && take(found).stand_in;
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
  if (redirect.stand_in) message.set_flag(param::kCdrtrack, false);  // each leg that is called has its own record
  message.set(param::kCalled, target->called).set(param::kSipUri, target->uri);
  if (!target->host.empty()) message.set(param::kDomain, target->host);
  limit_waiting(id, core.settings->call.maxcall);
  core.engine.spawn("call.redirect", route(services_.self, std::make_unique<NextCall>(std::string(id), redirect.attempt), std::move(message)));
  return true;
}

void Redirects::failed(const std::string& id, const DisconnectReason& reason) {
  if (go_on(id)) return;
  const auto found = redirects_.find(id);
  if (found == redirects_.end() || take(found).stand_in) return;
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

void Redirects::limit_waiting(std::string_view channel, Duration limit) {
  if (const auto found = redirects_.find(channel); found != redirects_.end() && found->second.stand_in) {
    auto& redirect = found->second;
    auto& timers = services_.core.engine.timers();
    timers.stop(redirect.limit);
    redirect.limit = limit.count() > 0 ? timers.start(timers_, redirect.attempt, limit) : TimerHandle();
    return;
  }
  Leg* leg = services_.leg_of(channel);
  if (leg && !leg->answered() && !leg->gone()) leg->limit(Leg::Timer::maxcall, limit);
}

void Redirects::overdue(std::uint64_t attempt) {
  const auto found = std::ranges::find(redirects_, attempt, [](const auto& one) { return one.second.attempt; });
  if (found != redirects_.end()) take(found);
}

void Redirects::hung_up(const BusMessage& message) {
  if (const auto found = redirects_.find(message.get(param::kId)); found != redirects_.end()) take(found);
  // A channel that is no leg says nothing when it goes; the leg it was connected to does.
  const auto found = redirects_.find(message.get(param::kLastpeerid));
  if (found != redirects_.end() && !services_.core.engine.channels().find(found->first)) take(found);
}

}  // namespace jackfield::sip::call
