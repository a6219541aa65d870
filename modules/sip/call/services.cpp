#include "call/services.h"

#include <jackfield/messages/media.h>

#include "answer.h"
#include "call/leg.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

BusMessage media_message(const Services& services, const Leg& leg, std::string_view name) {
  BusMessage message(name, services.core.engine.clock().wall());
  leg.complete(message);
  message.set(param::kSipCallid, leg.dialog().call_id());
  message.set(param::kFromTag, leg.dialog().remote_tag());
  message.set(param::kToTag, leg.dialog().local_tag());
  message.set(param::kIpHost, leg.flow().remote.host());
  message.set(param::kIpTransport, stack::transport_name(leg.flow().kind));
  return message;
}

std::optional<std::string> media_result(const BusMessage& message) {
  if (message.has(param::kError)) return std::nullopt;
  return std::string(message.get(param::kSdpRaw));
}

/// Waits for a media module that could not answer at once.
Task<> wait_for_media(std::weak_ptr<Services> weak, LegNumber number, std::shared_ptr<BusMessage> message, Verdict verdict,
                      Services::MediaDone done) {
  co_await settle(std::move(verdict));
  const auto services = weak.lock();
  if (!services) co_return;
  const LegTable::Scope scope(services->legs);
  if (Leg* leg = services->legs.find(number)) done(*leg, media_result(*message));
}

}  // namespace

Leg* Services::leg_of(std::string_view channel) const {
  if (!channel.starts_with("sip/")) return nullptr;
  return dynamic_cast<Leg*>(core.engine.channels().find(channel));
}

bool Services::is_full() const {
  const auto limit = core.settings->max_channels;
  return limit != 0 && legs.size() >= limit;
}

stack::ServerTransactionId Services::begin(const Request& request) {
  return request.transaction ? request.transaction : core.transactions.begin({request.message, request.flow});
}

void Services::reply(const Request& request, int code, std::string_view phrase, const stack::Transactions::ExtraHeaders& extra) {
  const stack::IncomingRequest incoming{request.message, request.flow};
  auto transaction = request.transaction;
  // An INVITE's refusal is repeated until its ACK, which takes a transaction.
  if (!transaction && request.message.method() == Method::invite) transaction = core.transactions.begin(incoming);
  answer(core, incoming, transaction, code, phrase, extra, Keep::yes);
}

void Services::media(Leg& leg, MediaStep step, std::string_view sdp, MediaDone done) {
  const messages::MessageName& name = step == MediaStep::offer ? messages::kMediaOffer : messages::kMediaAnswer;
  auto& bus = core.engine.bus();
  if (sdp.empty() || !bus.has_handlers(name)) return done(leg, std::string(sdp));
  const auto message = std::make_shared<BusMessage>(media_message(*this, leg, name));
  message->set(param::kSdpRaw, sdp);
  leg.set_media_asked();
  Verdict verdict = bus.dispatch(*message);
  if (verdict.immediate()) return done(leg, media_result(*message));
  core.engine.spawn(name.name, wait_for_media(self, leg.number(), message, std::move(verdict), std::move(done)));
}

void Services::release_media(const Leg& leg, std::string_view reason) {
  auto message = media_message(*this, leg, messages::kMediaRelease);
  message.set(param::kReason, reason);
  core.engine.bus().enqueue(std::move(message));
}

void Services::refuse_answer(const Message& response, const stack::FlowId& flow) {
  const auto& from = response.from();
  const auto& cseq = response.cseq();
  if (!from || !cseq || !response.to()) return;
  stack::Dialog dialog({.call_id = std::string(response.call_id()),
                        .local_tag = {},
                        .local = std::string(response.value(HeaderId::from)),
                        .remote = {},
                        .target = std::string(response.to()->uri.text)});
  dialog.establish(response);
  const auto reach = core.transport.reach(flow);
  auto& transactions = core.transactions;
  for (const std::string_view method : {"ACK", "BYE"}) {
    const auto branch = transactions.new_branch();
    std::string out;
    const bool ack = method == "ACK";
    dialog.begin_request(out, method, ack ? cseq->number : cseq->number + 1, {stack::transport_name(flow.kind), reach.host, reach.port, branch}).end();
    if (ack) transactions.send_stateless(flow, out);
    else transactions.send(flow, Method::bye, branch, out);
  }
}

}  // namespace jackfield::sip::call
