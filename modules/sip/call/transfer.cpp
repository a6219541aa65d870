#include "call/transfer.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>

#include <utility>

#include "answer.h"
#include "call/leg.h"
#include "call/reasons.h"
#include "call/routing.h"
#include "call/stand_in.h"
#include "settings.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

constexpr std::string_view kDriver = "transfer";
constexpr std::string_view kPrefix = "transfer/";
constexpr unsigned kSubscription = 180;  // s, what the first NOTIFY promises; a call rings no longer than maxcall

DisconnectReason transferred() { return {"transferred"}; }

DisconnectReason reason_of(const BusMessage& message, std::string_view fallback) {
  const auto reason = message.get(param::kReason);
  return refusal(message, reason.empty() ? fallback : reason);
}

}  // namespace

Transfers::~Transfers() { stop(); }

void Transfers::start() {
  auto& bus = services_.core.engine.bus();
  const auto install = [&](const messages::MessageName& name, int priority, Handler handler) {
    handlers_.push_back(bus.install({.message = name, .priority = priority, .track = "transfer"}, std::move(handler)));
  };
  // After callfork, whose targets may be the new call, and before the drivers, who are then told who really waits.
  install(messages::kCallRinging, 30, [this](BusMessage& message) -> Verdict { return progress(180, message); });
  install(messages::kCallProgress, 30, [this](BusMessage& message) -> Verdict { return progress(183, message); });
  install(messages::kCallAnswered, 30, [this](BusMessage& message) -> Verdict { return answered(message); });
  install(messages::kChanDisconnected, 50, [this](BusMessage& message) -> Verdict { return disconnected(message); });
  install(messages::kCallDrop, 60, [this](BusMessage& message) -> Verdict { return dropped(message); });
  install(messages::kChanHangup, 100, [this](BusMessage& message) -> Verdict {
    hung_up(message.get(param::kId));
    return false;
  });
}

void Transfers::stop() {
  handlers_.clear();
  transfers_.clear();
  notifies_.clear();
}

Transfers::Transfer* Transfers::find(Number number) {
  const auto found = transfers_.find(number);
  return found == transfers_.end() ? nullptr : &found->second;
}

Transfers::Number Transfers::of_channel(std::string_view id) const {
  if (!id.starts_with(kPrefix)) return 0;
  for (const auto& [number, transfer] : transfers_)
    if (transfer.channel && transfer.channel->id() == id) return number;
  return 0;
}

/// The call to the target, while the transfer waits for it.
class Transfers::NewCall final : public RoutedCall {
 public:
  explicit NewCall(Number number) : number_(number) {}
  const Channel* waiting(const Services& services) const override {
    const Transfer* transfer = services.transfers->find(number_);
    return transfer && transfer->state == State::calling ? transfer->channel.get() : nullptr;
  }
  void accepted(Services&, const BusMessage&) override {}  // call.ringing and call.answered say how it goes
  void rejected(Services& services, const DisconnectReason& reason) override { services.transfers->failed(number_, reason); }

 private:
  Number number_;
};

// Asked.

bool Transfers::may_transfer(const Leg& leg) const {
  if (leg.transfer_allowed()) return *leg.transfer_allowed();
  const auto policy = services_.core.settings->transfer;
  return policy == TransferPolicy::anyone || (policy == TransferPolicy::users && !leg.user().empty());
}

void Transfers::refer(Leg& leg, const Request& request) {
  const auto refuse = [&](int code, std::string_view phrase = {}) { services_.reply(request, code, phrase); };
  const auto target = read_refer(request.message);
  if (!target) return refuse(target.error().code, target.error().reason);
  if (!may_transfer(leg)) return refuse(403);  // D6
  if (leg.gone() || !leg.answered() || leg.peer().empty()) return refuse(481, "No Call To Transfer");
  for (const auto& [number, other] : transfers_)
    if (other.transferor == leg.number() && other.state == State::calling) return refuse(491);

  Leg* other = nullptr;
  if (const auto& replaces = target->replaces) {
    other = services_.legs.find(stack::DialogKeyView{replaces->call_id, replaces->to_tag});
    if (other && !other->is_far_tag(replaces->from_tag)) other = nullptr;
  }
  if (other) {
    const bool same_user = other->user() == leg.user() && !leg.user().empty();
    const bool whole = !other->gone() && !other->peer().empty() && (other->answered() || other->direction() == ChannelDirection::incoming);
    if (!same_user && services_.core.settings->transfer != TransferPolicy::anyone) return refuse(403);
    if (!whole || other == &leg || other->id() == leg.peer()) return refuse(481, "No Call To Transfer To");
  }

  Transfer transfer{.transferor = leg.number(), .transferor_id = leg.id(), .party = leg.peer()};
  transfer.reports = !wants_no_reports(request.message);
  transfer.event = leg.refers_before() ? "refer;id=" + std::to_string(request.message.cseq()->number) : std::string("refer");
  services_.reply(request, transfer.reports ? 202 : 200, {}, [&](Writer& writer) {
    leg.write_contact(writer);
    if (!transfer.reports) writer.header("Refer-Sub", "false");  // RFC 4488 §4
  });
  if (other) attended(leg, *other, std::move(transfer));
  else blind(leg, request, *target, std::move(transfer));
}

void Transfers::replaced(std::string_view id, std::string_view by, std::string_view peer) const {
  BusMessage message(messages::kChanReplaced, services_.core.engine.clock().wall());
  message.set_broadcast(true);
  message.set(param::kId, id).set(param::kNewid, by).set(param::kPeerid, peer);
  services_.core.engine.bus().enqueue(std::move(message));
}

// Attended.

void Transfers::attended(Leg& leg, Leg& other, Transfer transfer) {
  const std::string first = transfer.party, second = other.peer();
  services_.core.log.info("event=transfer kind=attended channel={} party={} to={} user={}", leg.id(), first, second, log_value(leg.user()));
  replaced(leg.id(), second, first);
  replaced(other.id(), first, second);
  const auto number = ++last_;
  auto& kept = transfers_.emplace(number, std::move(transfer)).first->second;
  kept.succeeded = true;
  // Whoever is connected to each of the two is parted from it, and hears why.
  services_.core.engine.channels().connect(first, second, transferred());
  notify(number, kept, 200);
  conclude(number);
}

// Blind.

void Transfers::blind(Leg& leg, const Request& request, const ReferTarget& target, Transfer transfer) {
  transfer.channel = std::make_unique<StandIn>(services_.core.engine.channels(), kDriver, leg.billid());
  services_.core.log.info("event=transfer kind=blind channel={} party={} called={} user={}", leg.id(), transfer.party, log_value(target.called),
                          log_value(leg.user()));
  auto message = route_message(leg, request, target, transfer);
  const auto number = ++last_;
  auto& kept = transfers_.emplace(number, std::move(transfer)).first->second;
  notify(number, kept, 100);
  services_.core.engine.spawn("call.transfer", route(services_.self, std::make_unique<NewCall>(number), std::move(message)));
}

BusMessage Transfers::route_message(const Leg& leg, const Request& request, const ReferTarget& target, const Transfer& transfer) const {
  const auto& core = services_.core;
  BusMessage message(messages::kCallPreroute, core.engine.clock().wall());
  transfer.channel->complete(message);
  // The called party sees whom it is to talk to; what the call may do is the transferor's.
  const Leg* party = services_.leg_of(transfer.party);
  message.set(param::kCaller, party ? party->far_party() : leg.near_party()).set(param::kCalled, target.called);
  if (!leg.user().empty()) message.set(param::kUsername, leg.user());
  message.set(param::kReason, "transfer").set(param::kDiverter, leg.user().empty() ? leg.far_party() : leg.user());
  message.set(param::kSipUri, target.uri).set(param::kDomain, target.host);
  message.set(param::kAntiloop, static_cast<long long>(core.settings->max_forwards) - 1);
  set_source(message, core, leg.flow());
  message.set_flag(param::kCdrtrack, false);  // the leg that is called has its own record
  // RFC 3892: who says so is proved for a user, and only told for others.
  const auto told = request.message.value(HeaderId::referred_by);
  if (!leg.user().empty()) message.set("osip_Referred-By", "<" + leg.user_uri() + ">");
  else if (!told.empty()) message.set("osip_Referred-By", told);
  if (!target.replaces_text.empty()) message.set("osip_Replaces", target.replaces_text);
  return message;
}

// The new call.

bool Transfers::progress(int code, const BusMessage& message) {
  Number number = of_channel(message.get(param::kPeerid));
  if (!number) number = of_channel(message.get(param::kTargetid));
  Transfer* transfer = find(number);
  if (!transfer) return false;
  const LegTable::Scope scope(services_.legs);
  if (transfer->state == State::calling && transfer->last_code != code) notify(number, *transfer, code);
  return true;
}

bool Transfers::answered(BusMessage& message) {
  Number number = of_channel(message.get(param::kPeerid));
  if (!number) number = of_channel(message.get(param::kTargetid));
  Transfer* transfer = find(number);
  if (!transfer) return false;
  if (transfer->state != State::calling) return true;
  const LegTable::Scope scope(services_.legs);
  const std::string by(message.get(param::kId));
  transfer->succeeded = true;
  replaced(transfer->transferor_id, by, transfer->party);
  notify(number, *transfer, 200);
  services_.core.engine.channels().connect(transfer->party, by, transferred());
  message.set(param::kPeerid, transfer->party).set(param::kTargetid, transfer->party);
  transfer->channel.reset();
  conclude(number);
  return false;  // the party's driver takes it
}

void Transfers::failed(Number number, const DisconnectReason& reason) {
  Transfer* transfer = find(number);
  if (!transfer || transfer->state != State::calling) return;
  const auto answer = final_answer(reason, kRefusedCode);
  services_.core.log.info("event=transfer_failed channel={} party={} code={} reason={}", transfer->transferor_id, transfer->party, answer.code,
                          log_value(reason.reason));
  if (transfer->alone) {  // nobody is left to go back to
    BusMessage drop(messages::kCallDrop, services_.core.engine.clock().wall());
    drop.set(param::kId, transfer->party).set(param::kReason, reason.reason);
    services_.core.engine.bus().enqueue(std::move(drop));
  }
  notify(number, *transfer, answer.code, answer.phrase);
  services_.core.engine.channels().disconnect(transfer->channel->id(), reason);
  transfer->channel.reset();
  conclude(number);
}

bool Transfers::disconnected(const BusMessage& message) {
  const auto id = message.get(param::kId);
  const LegTable::Scope scope(services_.legs);
  if (id.starts_with(kPrefix)) {
    const auto number = of_channel(id);
    failed(number, reason_of(message, "noanswer"));
    return true;
  }
  for (auto& [number, transfer] : transfers_) {
    // The transferor hangs up as soon as its wish was heard: the party waits for the new call.
    if (transfer.state == State::calling && id == transfer.party && message.get(param::kLastpeerid) == transfer.transferor_id) return transfer.alone = true;
    // The transferor's own leg ends once it has heard the outcome.
    if (transfer.state == State::reported && transfer.succeeded && id == transfer.transferor_id) return true;
  }
  return false;
}

bool Transfers::dropped(const BusMessage& message) {
  const auto number = of_channel(message.get(param::kId));
  if (!number) return false;
  const LegTable::Scope scope(services_.legs);
  failed(number, reason_of(message, "Cancelled"));
  return true;
}

void Transfers::hung_up(std::string_view id) {
  const LegTable::Scope scope(services_.legs);
  std::vector<Number> over;
  for (const auto& [number, transfer] : transfers_)
    if (transfer.state == State::calling && transfer.party == id) over.push_back(number);
  for (const auto number : over) failed(number, {"Cancelled"});
}

// Reports.

void Transfers::notify(Number number, Transfer& transfer, int code, std::string_view phrase) {
  const bool final = code >= 200;
  transfer.last_code = code;
  if (final) transfer.state = State::reported;
  Leg* leg = services_.legs.find(transfer.transferor);
  if (!transfer.reports || !leg || leg->gone()) {
    if (final) transfer.notify = {};
    return;
  }
  const std::string body = "SIP/2.0 " + std::to_string(code) + " " + std::string(phrase.empty() ? reason_phrase(code) : phrase) + "\r\n";
  const auto transaction = leg->send_request(Method::notify, body, [&](Writer& writer) {
    leg->write_contact(writer);
    writer.header(HeaderId::event, transfer.event);
    writer.header(HeaderId::subscription_state, final ? std::string("terminated;reason=noresource") : "active;expires=" + std::to_string(kSubscription));
  }, "message/sipfrag;version=2.0");
  transfer.notify = transaction;
  if (!transaction) return;
  services_.legs.disown(transaction);
  notifies_.emplace(transaction.value, number);
}

bool Transfers::response(stack::ClientTransactionId transaction, const Message& response) {
  if (!notifies_.contains(transaction.value)) return false;
  if (response.status() >= 200) notified(transaction);
  return true;
}

bool Transfers::client_failed(stack::ClientTransactionId transaction) {
  if (!notifies_.contains(transaction.value)) return false;
  notified(transaction);
  return true;
}

void Transfers::notified(stack::ClientTransactionId transaction) {
  const auto number = notifies_.extract(transaction.value).mapped();
  Transfer* transfer = find(number);
  if (!transfer || transfer->notify != transaction) return;
  transfer->notify = {};
  conclude(number);
}

/// Forgets a transfer whose outcome has been told; one that succeeded ends the transferor's leg.
void Transfers::conclude(Number number) {
  const Transfer* transfer = find(number);
  if (!transfer || transfer->state != State::reported || transfer->notify || transfer->channel) return;
  const auto transferor = transfer->transferor;
  const bool succeeded = transfer->succeeded;
  transfers_.erase(number);
  Leg* leg = services_.legs.find(transferor);
  if (succeeded && leg && leg->peer().empty()) leg->drop(transferred());
}

}  // namespace jackfield::sip::call
