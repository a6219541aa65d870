#include "stack/client_side.h"

#include "sip/writer.h"
#include "stack/transaction_key.h"

namespace jackfield::sip::stack {

ClientSide::ClientSide(TransactionContext& context, Counter& resent)
    : context_(context), resent_(resent), sinks_(context.wheel, [this](Timer timer, std::uint64_t id) { fired(timer, id); }) {}

ClientTransactionId ClientSide::send(const FlowId& flow, Method method, std::string_view branch, std::string_view bytes, Milliseconds t1) {
  return {start(flow, method, branch, bytes, times_with(t1))};
}

const Times& ClientSide::times_with(Milliseconds t1) {
  if (t1.count() == 0) return context_.times;
  const auto [found, fresh] = times_.try_emplace(t1, context_.times);
  if (fresh) found->second.t1 = t1;
  return found->second;
}

void ClientSide::abandon(std::uint64_t request) {
  const Client* client = table_.find(request);
  if (client && client->method != Method::invite) end(request);
}

std::uint64_t ClientSide::start(const FlowId& flow, Method method, std::string_view branch, std::string_view bytes, const Times& times) {
  // The method by its name for those we have no number of: the response is looked up by its CSeq.
  client_key(key_, branch, method, method == Method::other ? bytes.substr(0, bytes.find(' ')) : std::string_view());
  const std::uint64_t hash = keyed_hash(context_.hash_key, key_);
  const bool reliable = is_reliable(flow.kind);
  std::variant<InviteClient, NonInviteClient> machine = NonInviteClient(times, reliable);
  if (method == Method::invite) machine = InviteClient(times, reliable);
  const std::uint64_t id = table_.add(hash, key_, flow, machine, method, flow, bytes);
  const Actions actions = std::visit([](auto& m) { return m.start(); }, table_.find(id)->machine);
  run(id, actions, nullptr);
  if (reliable && !context_.transport->alive(flow)) {
    // closed() came before us; the user is told in a later turn, as of any failure.
    Client& client = *table_.find(id);
    client.flow_gone = true;
    sinks_.start(client.timers, id, Timer::b, Milliseconds(0));
  }
  return id;
}

void ClientSide::cancel(std::uint64_t invite, std::string_view reason_header) {
  Client* client = table_.find(invite);
  if (!client) return;
  auto* machine = std::get_if<InviteClient>(&client->machine);
  if (!machine) return;
  if (!reason_header.empty()) client->reason = reason_header;
  run(invite, machine->cancel(), nullptr);
}

bool ClientSide::response(const Message& response, const FlowId& flow) {
  client_key(key_, response.top_via()->branch, response.cseq()->method, response.cseq()->method_text);
  const std::uint64_t id = table_.find_id(keyed_hash(context_.hash_key, key_), key_);
  if (id == 0) return false;
  const Actions actions = std::visit([&](auto& machine) { return machine.response(response.status()); }, table_.find(id)->machine);
  const Received received{response, flow};
  run(id, actions, &received);
  return true;
}

void ClientSide::flow_closed(const FlowId& flow) {
  for (const std::uint64_t id : table_.on_flow(flow)) {
    Client* client = table_.find(id);
    if (client) run(id, std::visit([](auto& machine) { return machine.transport_failed(); }, client->machine), nullptr);
  }
}

void ClientSide::fired(Timer timer, std::uint64_t id) {
  Client* client = table_.find(id);
  if (!client) return;
  client->timers[timer] = {};
  if (timer == Timer::a || timer == Timer::e) resent_.add();
  run(id, std::visit([&](auto& machine) { return client->flow_gone ? machine.transport_failed() : machine.timer(timer); },
                     client->machine),
      nullptr);
}

// The user may do anything when told, so the transaction is looked up again for each action.
void ClientSide::run(std::uint64_t id, const Actions& actions, const Received* received) {
  bool over = false;
  for (const Action& action : actions) {
    Client* client = table_.find(id);
    if (!client) return;
    const bool ours = client->method == Method::cancel;  // sent for the user, who hears of the INVITE only
    switch (action.what) {
      case Do::send:
        // A flow that is gone has said or will say so through closed(); a full queue is a loss like any other.
        context_.transport->send(client->flow, client->request);
        break;
      case Do::send_ack:
        send_ack(*client, received->message);
        break;
      case Do::send_cancel:
        send_cancel(*client);
        break;
      case Do::deliver:
        if (ours || (client->method != Method::invite && received->message.status() == 100)) break;
        context_.user->response({id}, received->message, received->flow);
        break;
      case Do::start:
        // K would only absorb the final response when it comes again. Without a transaction it is nobody's, and dropped as well.
        if (action.timer == Timer::k) {
          over = true;
          break;
        }
        // What waits for further 2xx (RFC 6026) sends its own request no more; a refused INVITE is asked for its ACK.
        if (action.timer == Timer::m) std::string().swap(client->request);
        sinks_.start(client->timers, id, action.timer, action.delay);
        break;
      case Do::stop:
        sinks_.stop(client->timers, action.timer);
        break;
      case Do::timed_out:
        if (!ours) context_.user->client_failed({id}, ClientFailure::timeout);
        break;
      case Do::lost:
        if (!ours) context_.user->client_failed({id}, ClientFailure::flow_closed);
        break;
      case Do::end:
        end(id);
        break;
      case Do::send_trying:
        break;  // of servers
    }
  }
  if (over && table_.find(id)) end(id);
}

void ClientSide::end(std::uint64_t id) {
  table_.find(id)->timers.stop_all(context_.wheel);
  table_.remove(id);
}

void ClientSide::send_ack(const Client& client, const Message& response) {
  if (!write_beside(client, Method::ack, &response)) return;
  context_.transport->send(client.flow, context_.scratch);
}

void ClientSide::send_cancel(const Client& client) {
  if (!write_beside(client, Method::cancel)) return;
  start(client.flow, Method::cancel, request_.top_via()->branch, context_.scratch, context_.times);
}

bool ClientSide::write_beside(const Client& client, Method method, const Message* response) {
  if (!request_.parse(client.request)) return false;
  std::string& out = context_.scratch;
  out.clear();
  Writer writer(out);
  writer.request(method_name(method), request_.request_uri_text());
  writer.header(HeaderId::via, request_.top_via()->text);
  writer.copy_all(request_, HeaderId::route);
  writer.header(HeaderId::max_forwards, 70UL);
  writer.copy_all(request_, HeaderId::from);
  writer.copy_all(response ? *response : request_, HeaderId::to);
  writer.copy_all(request_, HeaderId::call_id);
  writer.cseq(request_.cseq()->number, method_name(method));
  if (method == Method::cancel && !client.reason.empty()) writer.header(HeaderId::reason, client.reason);
  writer.end();
  return true;
}

void ClientSide::stop() {
  table_.each([&](Client& client) { client.timers.stop_all(context_.wheel); });
  table_.clear();
}

}  // namespace jackfield::sip::stack
