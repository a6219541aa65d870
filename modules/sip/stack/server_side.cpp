#include "stack/server_side.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "stack/transaction_key.h"

namespace jackfield::sip::stack {
namespace {

constexpr std::uint16_t kDefaultPort = 5060;
constexpr Milliseconds kHeldAgain{1000};

}  // namespace

ServerSide::ServerSide(TransactionContext& context, const Clock& clock, std::size_t completed_bytes, bool ignore_via)
    : context_(context),
      clock_(clock),
      ignore_via_(ignore_via),
      completed_(completed_bytes),
      sinks_(context.wheel, [this](Timer timer, std::uint64_t id) { fired(timer, id); }) {}

ServerSide::Identity ServerSide::identify(const Message& message, Method as, bool mergeable) {
  server_key(key_, message, as, message.method_text());
  Identity identity{key_, keyed_hash(context_.hash_key, key_)};
  if (mergeable && merge_key(merge_key_, message)) {
    // Another key than the table's own, so that a merge hash never passes for a transaction's.
    identity.merge_hash = keyed_hash({context_.hash_key.k1, ~context_.hash_key.k0}, merge_key_) | 1;
  }
  return identity;
}

bool ServerSide::retransmission(const Identity& identity, const FlowId& flow) {
  if (const std::uint64_t id = table_.find_id(identity.hash, identity.key)) {
    Server& server = *table_.find(id);
    // A client whose connection was lost may repeat the request on a new one: that is the way back to it now.
    if (is_reliable(flow.kind) && !context_.transport->alive(server.reply_flow)) redirect(id, server, flow);
    run(id, std::visit([](auto& machine) { return machine.request(); }, server.machine), nullptr);
    return true;
  }
  if (const CompletedStore::Entry* entry = completed_.find(identity.hash, identity.key)) {
    // §17.2.2, Completed; an INVITE's, Confirmed or acknowledged in Accepted, is absorbed (§17.2.1, RFC 6026 §7.1).
    if (!entry->response.empty() && !entry->held) context_.transport->send(entry->destination, entry->response);
    return true;
  }
  return false;
}

bool ServerSide::merged(const Identity& identity) const {
  return identity.merge_hash != 0 && (merge_counts_.contains(identity.merge_hash) || completed_.merges(identity.merge_hash));
}

bool ServerSide::ack(const Identity& invite, const Message& message, const FlowId& flow) {
  const std::uint64_t id = table_.find_id(invite.hash, invite.key);
  if (id == 0) return completed_.find(invite.hash, invite.key) != nullptr;
  auto* machine = std::get_if<InviteServer>(&table_.find(id)->machine);
  if (!machine) return false;
  const Actions actions = machine->ack();
  const Received received{message, flow};
  run(id, actions, &received);
  return true;
}

ServerSide::Cancelled ServerSide::cancelled(const Identity& invite) {
  const std::uint64_t id = table_.find_id(invite.hash, invite.key);
  if (id == 0) return {.known = completed_.find(invite.hash, invite.key) != nullptr};
  Server& server = *table_.find(id);
  const auto* machine = std::get_if<InviteServer>(&server.machine);
  if (!machine) return {};
  const bool first = !std::exchange(server.cancelled, true);
  // §9.2: no effect after the final response.
  return {.known = true, .invite = first && machine->state() == InviteServer::State::proceeding ? id : 0};
}

std::uint64_t ServerSide::begin(const Message& message, const FlowId& flow, const Identity& identity) {
  const bool reliable = is_reliable(flow.kind);
  std::variant<InviteServer, NonInviteServer> machine = NonInviteServer(context_.times, reliable);
  if (message.method() == Method::invite) machine = InviteServer(context_.times, reliable);
  const std::uint64_t id = table_.add(identity.hash, identity.key, flow, machine, message.clone(), flow,
                                      response_flow(message, flow), identity.merge_hash);
  if (identity.merge_hash != 0) ++merge_counts_[identity.merge_hash];
  run(id, std::visit([](auto& machine_) { return machine_.start(); }, table_.find(id)->machine), nullptr);
  return id;
}

bool ServerSide::respond(std::uint64_t id, int code, std::string_view bytes) {
  Server* server = table_.find(id);
  if (!server) return false;
  const Actions actions = std::visit([&](auto& machine) { return machine.respond(code); }, server->machine);
  if (actions.empty()) return false;
  server->response.assign(bytes);
  run(id, actions, nullptr);
  return true;
}

void ServerSide::acknowledged(std::uint64_t id) {
  Server* server = table_.find(id);
  if (!server) return;
  auto* const machine = std::get_if<InviteServer>(&server->machine);
  if (!machine) return;
  const Actions actions = machine->acknowledged();
  if (actions.empty()) return;
  run(id, actions, nullptr);
  retire(id);
}

void ServerSide::answer(const Message& message, const FlowId& flow, const Identity& identity, std::string_view bytes) {
  const FlowId destination = response_flow(message, flow);
  context_.transport->send(destination, bytes);
  if (is_reliable(flow.kind)) return;  // §17.2.2: J is zero on a reliable transport
  keep({identity.hash, identity.merge_hash, identity.key, destination, bytes});
}

std::uint64_t ServerSide::hold(const Message& message, const FlowId& flow, const Identity& identity, std::string_view bytes) {
  return keep({identity.hash, identity.merge_hash, identity.key, response_flow(message, flow), bytes, true});
}

void ServerSide::release(std::uint64_t held) {
  if (const CompletedStore::Entry* entry = completed_.let_go(held)) context_.transport->send(entry->destination, entry->response);
}

FlowId ServerSide::response_flow(const Message& request, const FlowId& flow) const {
  if (is_reliable(flow.kind) || ignore_via_) return flow;
  const Via& via = *request.top_via();
  if (via.rport_asked) return flow;  // RFC 3581 §4
  // §18.2.2 and D12. `maddr` is not followed: it would let anybody aim our responses at a third party.
  const auto sent_by = net::Address::parse(via.host);
  if (!sent_by || !sent_by->same_host(flow.remote)) return flow;
  FlowId destination = flow;
  destination.remote.set_port(via.port != 0 ? via.port : kDefaultPort);
  return destination;
}

std::string ServerSide::to_tag(const Message& request) {
  tag_key_.assign(request.top_via()->branch);
  tag_key_.push_back('\n');
  tag_key_.append(request.call_id());
  tag_key_.push_back('\n');
  tag_key_.append(request.from() ? request.from()->tag : request.value(HeaderId::from));
  std::string tag;
  append_token(tag, keyed_hash<2, 4>(context_.hash_key, tag_key_));
  return tag;
}

Writer ServerSide::start(std::string& out, const Message& request, const FlowId& flow, int code, std::string_view phrase) {
  return start_response(out, request, code, phrase, code == 100 ? std::string() : to_tag(request), net::AddressText(flow.remote).host(),
                        flow.remote.port());
}

const Message* ServerSide::request_of(std::uint64_t id) const {
  const Server* server = table_.find(id);
  return server ? &server->request : nullptr;
}

FlowId ServerSide::flow_of(std::uint64_t id) const {
  const Server* server = table_.find(id);
  return server ? server->flow : FlowId{};
}

void ServerSide::run(std::uint64_t id, const Actions& actions, const Received* received) {
  for (const Action& action : actions) {
    Server* server = table_.find(id);
    if (!server) return;
    switch (action.what) {
      case Do::send:
        send(id);
        break;
      case Do::send_trying: {
        server->response.clear();
        start(server->response, server->request, server->flow, 100, {}).end();
        send(id);
        break;
      }
      case Do::deliver:
        context_.user->request({received->message, received->flow});
        break;
      case Do::start:
        if (action.timer == Timer::i || action.timer == Timer::j) retire(id);
        else sinks_.start(server->timers, id, action.timer, action.delay);
        break;
      case Do::stop:
        sinks_.stop(server->timers, action.timer);
        break;
      case Do::timed_out:
      case Do::lost:
        if (std::holds_alternative<InviteServer>(server->machine)) context_.user->server_failed({id});
        break;
      case Do::end:
        end(id);
        break;
      case Do::send_ack:
      case Do::send_cancel:
        break;  // of clients
    }
  }
}

void ServerSide::fired(Timer timer, std::uint64_t id) {
  if (timer == Timer::j) return sweep();
  Server* server = table_.find(id);
  if (!server) return;
  server->timers[timer] = {};
  run(id, std::visit([&](auto& machine) { return machine.timer(timer); }, server->machine), nullptr);
}

void ServerSide::send(std::uint64_t id) {
  Server& server = *table_.find(id);
  if (context_.transport->send(server.reply_flow, server.response) || !is_reliable(server.reply_flow.kind)) return;
  if (context_.transport->alive(server.reply_flow)) return;  // its queue is full: lost, and repeated if it was a final response
  if (reconnect(id, server)) context_.transport->send(server.reply_flow, server.response);
}

// §18.2.2: a lost connection is opened anew, to the address the request came from and the port of sent-by.
bool ServerSide::reconnect(std::uint64_t id, Server& server) {
  if (server.reply_flow != server.flow) return false;  // once
  const std::uint16_t port = server.request.top_via()->port;
  const auto flow = context_.transport->flow_to(server.flow.kind, server.flow.remote.with_port(port != 0 ? port : kDefaultPort),
                                                server.flow.listener);
  if (flow) redirect(id, server, *flow);
  return flow.has_value();
}

void ServerSide::redirect(std::uint64_t id, Server& server, const FlowId& flow) {
  const auto [first, last] = redirected_.equal_range(server.reply_flow);
  const auto old = std::find_if(first, last, [&](const auto& entry) { return entry.second == id; });
  if (old != last) redirected_.erase(old);
  server.reply_flow = flow;
  if (flow != server.flow) redirected_.emplace(flow, id);
}

void ServerSide::flow_closed(const FlowId& flow) {
  if (!is_reliable(flow.kind)) return;  // an ICMP error about one answer: the request may be repeated all the same
  for (const std::uint64_t id : table_.on_flow(flow)) {
    Server* server = table_.find(id);
    if (!server || server->reply_flow != flow) continue;
    const auto* invite = std::get_if<InviteServer>(&server->machine);
    if (invite && invite->expects_ack()) send(id);  // whether the final response arrived is unknown
  }
  std::vector<std::uint64_t> lost;
  const auto [first, last] = redirected_.equal_range(flow);
  for (auto at = first; at != last; ++at) lost.push_back(at->second);
  for (const std::uint64_t id : lost) {
    if (Server* server = table_.find(id))
      run(id, std::visit([](auto& machine) { return machine.transport_failed(); }, server->machine), nullptr);
  }
}

// Request, machine and timers go. All that retire wait as long as timer J, also where I or what is left of L were shorter.
void ServerSide::retire(std::uint64_t id) {
  Server& server = *table_.find(id);
  const bool invite = std::holds_alternative<InviteServer>(server.machine);
  keep({table_.hash_of(id), server.merge_hash, table_.key_of(id), server.reply_flow, invite ? std::string_view() : server.response});
  end(id);
}

void ServerSide::end(std::uint64_t id) {
  Server& server = *table_.find(id);
  server.timers.stop_all(context_.wheel);
  if (server.merge_hash != 0) {
    const auto count = merge_counts_.find(server.merge_hash);
    if (--count->second == 0) merge_counts_.erase(count);
  }
  if (is_reliable(server.flow.kind)) redirect(id, server, server.flow);
  table_.remove(id);
}

CompletedStore::Position ServerSide::keep(const CompletedStore::Entry& entry) {
  const bool idle = completed_.size() == 0;
  const auto position = completed_.add(entry, clock_.now() + context_.times.j());
  if (idle && completed_.size() != 0) sinks_.start(sweep_, 0, Timer::j, context_.times.j());
  return position;
}

void ServerSide::sweep() {
  sweep_[Timer::j] = {};
  completed_.expire(clock_.now());
  const auto next = completed_.next_expiry();
  if (!next) return;
  const bool held = *next <= clock_.now();  // over its time: looked at again
  sinks_.start(sweep_, 0, Timer::j, held ? kHeldAgain : std::chrono::duration_cast<Milliseconds>(*next - clock_.now()));
}

void ServerSide::stop() {
  table_.each([&](Server& server) { server.timers.stop_all(context_.wheel); });
  table_.clear();
  merge_counts_.clear();
  redirected_.clear();
  completed_.clear();
  sweep_.stop_all(context_.wheel);
}

}  // namespace jackfield::sip::stack
