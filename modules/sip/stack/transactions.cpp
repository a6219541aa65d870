#include "stack/transactions.h"

#include <algorithm>

#include "sip/writer.h"
#include "stack/client_side.h"
#include "stack/server_side.h"
#include "stack/transaction_key.h"

#include <jackfield/engine.h>
#include <jackfield/metrics.h>

namespace jackfield::sip::stack {
namespace {

Counter& received_counter(Metrics& metrics, TransportKind kind) {
  return metrics.counter("jackfield_sip_messages_received_total", "SIP messages received.", {{"transport", std::string(transport_parameter(kind))}});
}

Times times_of(const TransactionOptions& options) {
  return {.t1 = options.t1, .t2 = options.t2, .t4 = options.t4, .timer_c = options.timer_c, .linger = options.linger};
}

HashKey random_key(Random& random) {
  const std::uint64_t k0 = random.next();
  return {k0, random.next()};
}

}  // namespace

struct Transactions::Impl {
  Impl(Engine& engine, const TransactionOptions& options)
      : log(engine.log("sip")),
        context{engine.timers(), times_of(options), random_key(engine.random())},
        branch_key(random_key(engine.random())),
        server(context, engine.clock(), options.completed_bytes, options.ignore_via),
        client(context, engine.metrics().counter("jackfield_sip_retransmissions_sent_total", "Requests of ours sent again for want of an answer.")),
        received_udp(received_counter(engine.metrics(), TransportKind::udp)),
        received_tcp(received_counter(engine.metrics(), TransportKind::tcp)),
        unusable(engine.metrics().counter("jackfield_sip_parse_errors_total", "Messages received that were no valid SIP.")),
        repeated(engine.metrics().counter("jackfield_sip_retransmissions_received_total", "Requests received again.")),
        live_gauge(engine.metrics().gauge("jackfield_sip_transactions_count", "Transactions under way.", {},
                                          [this] { return static_cast<double>(server.size() + client.size()); })),
        completed_gauge(engine.metrics().gauge("jackfield_sip_completed_transactions_count", "Answered requests kept for their retransmissions.", {},
                                               [this] { return static_cast<double>(server.completed()); })) {}

  void received(const FlowId& flow, std::string_view bytes);
  void request(const FlowId& flow);
  void ack(const FlowId& flow);
  void cancel(const FlowId& flow);
  void refuse(const FlowId& flow, int code, std::string_view reason);
  ServerSide::Identity identity_of(const IncomingRequest& request);
  void write(const IncomingRequest& request, int code, std::string_view phrase, const ExtraHeaders& extra);

  Logger& log;
  TransactionContext context;
  HashKey branch_key;
  std::uint64_t branches = 0;
  ServerSide server;
  ClientSide client;
  Message message;                // the one at hand; its storage is reused from datagram to datagram
  ServerSide::Identity identity;  // of `message`, while the user looks at it
  Counter& received_udp;
  Counter& received_tcp;
  Counter& unusable;
  Counter& repeated;
  std::shared_ptr<void> live_gauge, completed_gauge;
};

Transactions::Transactions(Engine& engine, TransactionOptions options) : impl_(std::make_unique<Impl>(engine, options)) {}
Transactions::~Transactions() = default;

void Transactions::attach(Transport& transport, TransactionUser& user) {
  impl_->context.transport = &transport;
  impl_->context.user = &user;
}

void Transactions::message(const FlowId& flow, std::string_view bytes) { impl_->received(flow, bytes); }

void Transactions::Impl::received(const FlowId& flow, std::string_view bytes) {
  (is_reliable(flow.kind) ? received_tcp : received_udp).add();
  if (const auto parsed = message.parse(bytes); !parsed) return refuse(flow, parsed.error().status, parsed.error().reason);
  if (const auto checked = message.check_mandatory(); !checked) return refuse(flow, checked.error().status, checked.error().reason);
  if (message.is_request()) return request(flow);
  // §8.1.3.3: a response with a second Via was meant for somebody further down.
  const auto vias = std::count_if(message.headers().begin(), message.headers().end(),
                                  [](const HeaderLine& line) { return line.id == HeaderId::via; });
  if (vias == 1 && !client.response(message, flow) && message.method() == Method::invite) context.user->stray_response(message, flow);
}

void Transactions::Impl::request(const FlowId& flow) {
  if (message.method() == Method::ack) return ack(flow);
  if (message.method() == Method::cancel) return cancel(flow);
  identity = server.identify(message, message.method(), true);
  if (server.retransmission(identity, flow)) return repeated.add();
  const IncomingRequest incoming{message, flow};
  if (server.merged(identity)) {
    write(incoming, 482, {}, {});  // §8.2.2.2
  } else if (message.max_forwards() == 0u && identity.merge_hash != 0 && message.method() != Method::options &&
             message.method() != Method::reg) {
    write(incoming, 483, {}, {});  // §16.3 step 3, for what would go on to another leg
  } else {
    return context.user->request(incoming);
  }
  context.transport->send(server.response_flow(message, flow), context.scratch);
}

void Transactions::Impl::ack(const FlowId& flow) {
  if (server.ack(server.identify(message, Method::invite, false), message, flow)) return;
  // For a refusal of ours that left nothing behind: branch, Call-ID and From tag are the INVITE's, so the tag is the same again.
  if (message.to()->tag == server.to_tag(message)) return;
  context.user->request({message, flow});
}

void Transactions::Impl::cancel(const FlowId& flow) {
  const auto cancelled = server.cancelled(server.identify(message, Method::invite, false));
  // §9.2. Nothing is kept for it: a CANCEL that comes again finds its INVITE again, or none.
  write({message, flow}, cancelled.known ? 200 : 481, {}, {});
  context.transport->send(server.response_flow(message, flow), context.scratch);
  if (cancelled.invite != 0) context.user->cancelled({cancelled.invite}, message);
}

// Answers what is no good, as far as an answer can be addressed: never an ACK, never a response.
void Transactions::Impl::refuse(const FlowId& flow, int code, std::string_view reason) {
  unusable.add();
  if (log.enabled(LogLevel::debug))
    log.debug("event=message_refused remote={} transport={} code={} reason={} call_id={}", flow.remote.text(),
              transport_parameter(flow.kind), code, log_value(reason), log_value(message.call_id()));
  if (!message.is_request() || message.method() == Method::ack || !message.top_via()) return;
  write({message, flow}, code, reason, {});
  context.transport->send(server.response_flow(message, flow), context.scratch);
}

void Transactions::Impl::write(const IncomingRequest& request, int code, std::string_view phrase, const ExtraHeaders& extra) {
  context.scratch.clear();
  Writer writer = server.start(context.scratch, request.message, request.flow, code, phrase);
  extra(writer);
  writer.end();
}

ServerSide::Identity Transactions::Impl::identity_of(const IncomingRequest& request) {
  if (&request.message == &message) return identity;
  return server.identify(request.message, request.message.method(), true);
}

void Transactions::unframed(const FlowId& flow, std::string_view seen, int status, std::string_view reason) {
  (void)impl_->message.parse(seen);  // what can be read of it tells where the answer goes
  impl_->refuse(flow, status, reason);
}

void Transactions::opened(const FlowId&) {}  // what was sent before waits in the connection's queue

void Transactions::closed(const FlowId& flow, std::string_view reason) {
  impl_->client.flow_closed(flow);
  impl_->server.flow_closed(flow);
  impl_->context.user->flow_closed(flow, reason);
}

void Transactions::reply(const IncomingRequest& request, int code, std::string_view phrase, const ExtraHeaders& extra) {
  impl_->write(request, code, phrase, extra);
  impl_->context.transport->send(impl_->server.response_flow(request.message, request.flow), impl_->context.scratch);
}

void Transactions::reply_and_keep(const IncomingRequest& request, int code, std::string_view phrase, const ExtraHeaders& extra) {
  impl_->write(request, code, phrase, extra);
  if (request.message.method() != Method::invite)
    return impl_->server.answer(request.message, request.flow, impl_->identity_of(request), impl_->context.scratch);
  const ServerTransactionId transaction = begin(request);
  respond(transaction, code, impl_->context.scratch);
}

HeldAnswerId Transactions::hold(const IncomingRequest& request, int code, std::string_view phrase, const ExtraHeaders& extra) {
  impl_->write(request, code, phrase, extra);
  return {impl_->server.hold(request.message, request.flow, impl_->identity_of(request), impl_->context.scratch)};
}

void Transactions::release(HeldAnswerId held) { impl_->server.release(held.value); }

void Transactions::refuse(HeldAnswerId held, int code, std::string_view phrase, const ExtraHeaders& extra) {
  const auto* answer = impl_->server.take_back(held.value);
  if (!answer) return;
  // All that a response takes from its request (RFC 3261 §8.2.6) stands in the answer that was held.
  const FlowId destination = answer->destination;
  Message written;
  if (!written.parse(answer->response)) return;
  auto& out = impl_->context.scratch;
  out.clear();
  Writer writer = start_response(out, written, code, phrase, {}, {}, 0);
  extra(writer);
  writer.end();
  impl_->context.transport->send(destination, out);
}

ServerTransactionId Transactions::begin(const IncomingRequest& request) {
  return {impl_->server.begin(request.message, request.flow, impl_->identity_of(request))};
}

const Message* Transactions::request_of(ServerTransactionId transaction) const { return impl_->server.request_of(transaction.value); }
FlowId Transactions::flow_of(ServerTransactionId transaction) const { return impl_->server.flow_of(transaction.value); }

bool Transactions::respond(ServerTransactionId transaction, int code, std::string_view bytes) {
  return impl_->server.respond(transaction.value, code, bytes);
}

void Transactions::acknowledged(ServerTransactionId transaction) { impl_->server.acknowledged(transaction.value); }
std::string Transactions::to_tag(const Message& request) const { return impl_->server.to_tag(request); }

ClientTransactionId Transactions::send(const FlowId& flow, Method method, std::string_view branch, std::string_view bytes, std::chrono::milliseconds t1) {
  return impl_->client.send(flow, method, branch, bytes, t1);
}

void Transactions::abandon(ClientTransactionId request) { impl_->client.abandon(request.value); }

void Transactions::cancel(ClientTransactionId invite, std::string_view reason_header) {
  impl_->client.cancel(invite.value, reason_header);
}

bool Transactions::send_stateless(const FlowId& flow, std::string_view bytes) { return impl_->context.transport->send(flow, bytes); }

std::string Transactions::new_branch() {
  const std::uint64_t count = ++impl_->branches;
  std::string branch(kBranchCookie);
  append_token(branch, keyed_hash<2, 4>(impl_->branch_key, {reinterpret_cast<const char*>(&count), sizeof count}));
  return branch;
}

std::size_t Transactions::live() const { return impl_->server.size() + impl_->client.size(); }
std::size_t Transactions::completed() const { return impl_->server.completed(); }

void Transactions::stop() {
  impl_->client.stop();
  impl_->server.stop();
}

}  // namespace jackfield::sip::stack
