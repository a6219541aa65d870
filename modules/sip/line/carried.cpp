#include "line/carried.h"

#include <jackfield/messages/upstream.h>

#include <fmt/format.h>

#include <utility>

#include "call/own_headers.h"
#include "line/carried_order.h"
#include "line/register_request.h"

namespace jackfield::sip::line {

namespace {

namespace param = messages::param;
using namespace std::chrono_literals;

constexpr Duration kNoLimit = 1h;  // the transaction gives up long before
constexpr Duration kOldContacts = 1h;

Verdict refuse(jackfield::Message& message, std::string_view error, std::string_view reason) {
  message.set(param::kError, error).set(param::kReason, reason);
  return false;
}

}  // namespace

void Carried::start() {
  handler_ = services_.core.engine.bus().install({.message = messages::kUpstreamRegister, .priority = 100, .track = "sip"},
                                                 [this](jackfield::Message& message) { return order(message); });
}

void Carried::stop() {
  handler_.reset();
  replies_.stop();
}

Verdict Carried::order(jackfield::Message& message) {
  const auto name = message.get(param::kLine);
  const Connection* connection = table_.find(name);
  if (!connection || connection->settings().type != Type::upstream || !connection->settings().enabled || connection->leaving())
    return refuse(message, "offline", fmt::format("there is no upstream connection `{}`", name));
  auto order = Order::read(message, connection->context().number);
  if (!order) return refuse(message, "failure", order.error());
  if (order->hops == 0) {  // D13: whatever comes round and round ends somewhere
    message.set(param::kCode, 483).set(param::kReason, reason_phrase(483));
    return true;
  }
  return carry(this, services_.self, message, std::make_unique<Order>(std::move(*order)));
}

Task<bool> Carried::carry(Carried* carried, std::weak_ptr<Services> alive, jackfield::Message& message, std::unique_ptr<Order> order) {
  struct UnderWay {
    std::size_t& count;
    std::weak_ptr<Services> alive;
    ~UnderWay() {
      if (!alive.expired()) --count;
    }
  };
  const UnderWay counted{++carried->under_way_, alive};
  std::shared_ptr<const Message> answer;  // the last: a 503 of one server is told where the others say nothing
  for (;;) {
    Connection* connection = carried->services_.find(order->line);
    const auto place = connection ? order->next(connection->context()) : std::nullopt;
    if (!place) break;
    if (!place->hop) {
      order->looked_up.push_back(place->server);
      const auto resolved = co_await carried->services_.resolver.resolved(connection->context().servers.way(place->server, Servers::Purpose::calls).destination());
      if (alive.expired()) break;
      connection = carried->services_.find(order->line);
      if (!connection || place->server >= connection->context().servers.size()) break;
      if (resolved) {
        connection->context().servers.way(place->server, Servers::Purpose::calls).resolved(resolved->hops);
        carried->services_.addresses_changed(order->line);
        continue;
      }
      order->trouble = resolved.error();
      if (!connection->context().servers.way(place->server, Servers::Purpose::calls).current()) connection->carried_failed(place->server, nullptr, order->trouble, order->by_us());
      continue;
    }
    order->tried.push_back(*place);
    const auto got = co_await ask(carried, alive, *order, *place);
    if (got) answer = got;
    if (alive.expired()) break;
    connection = carried->services_.find(order->line);
    if (!connection) break;
    if (got && got->status() != 408 && got->status() != 503) break;
    if (got) order->trouble = fmt::format("{} {}", got->status(), got->reason_phrase());
    connection->carried_failed(place->server, &*place->hop, order->trouble, order->by_us());
  }
  if (answer) {
    order->tell(message, *answer);
    co_return true;
  }
  message.set(param::kSipCseq, static_cast<long long>(order->cseq));
  message.set(param::kError, "noconn").set(param::kReason, alive.expired() ? "the server is stopping" : order->trouble.empty() ? "the connection is gone" : order->trouble);
  co_return false;
}

Task<std::shared_ptr<const Message>> Carried::ask(Carried* carried, std::weak_ptr<Services> alive, Order& order, Place place) {
  auto& core = carried->services_.core;
  order.proofs.clear();
  for (;;) {
    Connection* connection = carried->services_.find(order.line);
    if (!connection) co_return nullptr;
    const auto flow = connection->context().flow_to(*place.hop);
    if (!flow) {
      order.trouble = fmt::format("no listener reaches {} over {}", place.hop->address.text(), stack::transport_parameter(place.hop->transport));
      co_return nullptr;
    }
    const auto branch = core.transactions.new_branch();
    const auto bytes = carried->write(order, connection->context(), place, *flow, branch);
    const auto limit = connection->context().limit();
    const auto transaction = core.transactions.send(*flow, Method::reg, branch, bytes, connection->settings().initial_timeout);
    auto pending = carried->replies_.open<Reply>(limit.count() != 0 ? limit : kNoLimit);
    carried->asked_[transaction.value] = {pending.id(), order.line};
    auto reply = co_await pending.wait();
    if (alive.expired()) co_return nullptr;
    if (carried->asked_.erase(transaction.value) != 0) core.transactions.abandon(transaction);
    connection = carried->services_.find(order.line);
    if (!connection) co_return nullptr;
    if (!reply) {
      order.trouble = reply.error().kind == PendingError::Kind::failed ? reply.error().text : "no answer";
      co_return nullptr;
    }
    const auto& response = *reply->response;
    carried->note_seen_address(order, connection->context(), *reply);
    order.answered_by = place.hop->address;
    if (response.status() != 408 && response.status() != 503) connection->carried_answered(place.server, *place.hop, *flow);
    const bool challenged = (response.status() == 401 || response.status() == 407) && order.credentials.can_answer();
    if (!challenged || order.proofs.learn(response, order.credentials) != Proofs::Verdict::answer) co_return reply->response;
  }
}

/// D19: what the server sees is the AOR, our own address and the token; what the phone wrote is its proof alone.
std::string Carried::write(Order& order, const Context& context, const Place& place, const stack::FlowId& flow, const std::string& branch) {
  const auto uri = order.uri.empty() ? context.settings.register_uri(place.server) : order.uri;
  const auto aor = fmt::format("<sip:{}@{}>", escape_user(order.user), order.domain.empty() ? context.settings.domain_at(place.server) : order.domain);
  const auto contact_at = [&](const std::string& host) {
    const bool datagrams = flow.kind == stack::TransportKind::udp;
    return fmt::format("sip:{}@{}{}{}", escape_user(order.token), host, datagrams ? "" : ";transport=", datagrams ? "" : stack::transport_parameter(flow.kind));
  };
  const auto host = context.contact_host(flow);
  order.contact = order.token.empty() ? std::string() : contact_at(host);
  std::vector<std::string> old;
  if (const auto moved = moved_.find(order.line); moved != moved_.end() && !moved->second.old_host.empty() && moved->second.old_host != host && context.now() < moved->second.until)
    old.push_back(contact_at(moved->second.old_host));

  std::string out;
  out.reserve(1024);
  Writer writer(out);
  begin_register(writer, context, flow, branch,
                 {.uri = uri, .from = fmt::format("{};tag={}", aor, order.tag), .to = aor, .call_id = order.call_id, .cseq = ++order.cseq, .max_forwards = order.hops - 1, .contact = order.contact,
                  .old_contacts = old, .expires = order.expires});
  for (const auto& value : order.authorization) writer.header(HeaderId::authorization, value);
  for (const auto& value : order.proxy_authorization) writer.header(HeaderId::proxy_authorization, value);
  order.proofs.write(writer, "REGISTER", uri, order.credentials, context.core().engine.random());
  call::write(writer, context.settings.headers);
  writer.end();
  return out;
}

/// Already a challenge says where we are seen, before anything is bound. Once contacts were, those with the old address are taken back as
/// each AOR registers again.
void Carried::note_seen_address(Order& order, Context& context, const Reply& reply) {
  const auto before = context.contact_host(reply.flow);
  const bool changed = context.note_seen_address(*reply.response, reply.flow);
  auto& moved = moved_[order.line];
  if (reply.response->status() < 300 && !order.token.empty() && order.expires != 0) moved.bound = true;
  if (!changed || !moved.bound) return;
  moved.old_host = before;
  moved.until = context.now() + kOldContacts;
}

bool Carried::response(stack::ClientTransactionId transaction, const Message& response, const stack::FlowId& flow) {
  const auto asked = asked_.find(transaction.value);
  if (asked == asked_.end()) return false;
  if (response.status() < 200) return true;
  const auto reply = asked->second.reply;
  asked_.erase(asked);
  replies_.complete<Reply>(reply, {std::make_shared<const Message>(response.clone()), flow});
  return true;
}

bool Carried::client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure) {
  const auto asked = asked_.find(transaction.value);
  if (asked == asked_.end()) return false;
  const auto reply = asked->second.reply;
  asked_.erase(asked);
  replies_.fail(reply, failure == stack::ClientFailure::flow_closed ? "not reachable" : "no answer");
  return true;
}

void Carried::ended(LineNumber number) {
  moved_.erase(number);
  std::vector<PendingId> over;
  for (const auto& [transaction, asked] : asked_)
    if (asked.line == number) over.push_back(asked.reply);
  for (const auto reply : over) replies_.fail(reply, "the connection is gone");
}

}  // namespace jackfield::sip::line
