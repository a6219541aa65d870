// What a leg writes: its requests and responses, the Contact in them, and the flow they leave by.
#include "call/leg.h"
#include "settings.h"

namespace jackfield::sip::call {

namespace {

/// Where a URI with a numeric host is; nothing for names.
std::optional<net::Address> numeric(const Uri& uri) { return net::Address::parse(uri.host, uri.port ? uri.port : 5060); }

}  // namespace

void Leg::set_dialog(stack::Dialog dialog) {
  if (indexed_) services_.legs.unindex(dialog_.key());
  dialog_ = std::move(dialog);
  services_.legs.index(dialog_.key(), number_);
  indexed_ = true;
}

void Leg::set_flow(const stack::FlowId& flow) {
  auto& transport = services_.core.transport;
  transport.hold(flow);
  transport.release(flow_);
  flow_ = flow;
  set_address(flow.remote.text());
}

const stack::FlowId& Leg::out_flow() {
  auto& transport = services_.core.transport;
  if (transport.alive(flow_)) return flow_;
  // A call outlives its connection (D16): the phone's newest one, else a new one to where its Contact points.
  if (device_)
    if (const auto newest = services_.bindings.connection_of(*device_)) {
      set_flow(*newest);
      return flow_;
    }
  const auto hop = Uri::parse(dialog_.next_hop());
  auto address = hop ? numeric(*hop) : std::nullopt;
  // A name stands for the machine that was called: a dialog stays where it was made.
  if (!address && direction() == ChannelDirection::outgoing) address = flow_.remote;
  if (address)
    if (const auto flow = transport.flow_to(flow_.kind, *address, flow_.listener)) set_flow(*flow);
  return flow_;
}

void Leg::write_contact(Writer& writer) const {
  const auto reach = services_.core.transport.reach(flow_);
  const auto& user = contact_ ? contact_->user : direction() == ChannelDirection::incoming ? called_ : caller_;
  std::string contact = "<sip:";
  // Who hides from the far side may still tell his server, which knows its customer anyway, where its answers go.
  if (!user.empty() && (contact_ || !anonymous_)) contact.append(escape_user(user)).append("@");
  if (contact_ && !contact_->host.empty()) contact.append(contact_->host);
  else contact.append(reach.host).append(":").append(std::to_string(reach.port));
  if (flow_.kind != stack::TransportKind::udp) contact.append(";transport=").append(stack::transport_parameter(flow_.kind));
  contact += '>';
  writer.header(HeaderId::contact, contact);
}

stack::ClientTransactionId Leg::send_request(Method method, std::string_view body, const stack::Transactions::ExtraHeaders& extra,
                                             std::string_view content_type) {
  return send_in(request_dialog(), method, body, extra, content_type);
}

stack::ClientTransactionId Leg::send_in(stack::Dialog& dialog, Method method, std::string_view body, const stack::Transactions::ExtraHeaders& extra,
                                        std::string_view content_type) {
  auto& core = services_.core;
  auto flow = out_flow();
  const auto branch = core.transactions.new_branch();
  const auto cseq = dialog.next_cseq();
  auto proofs = customer_ ? customer_->proofs.lines(method_name(method), dialog.target(), customer_->credentials, core.engine.random()) : line::ProofLines();
  if (method == Method::invite && !answered()) proofs.insert(proofs.end(), relayed_.begin(), relayed_.end());
  std::string out;
  out.reserve(1024 + body.size());
  const auto write = [&] {
    const auto reach = core.transport.reach(flow);
    Writer writer = dialog.begin_request(out, method_name(method), cseq, {stack::transport_name(flow.kind), reach.host, reach.port, branch});
    if (method == Method::invite || method == Method::update) {
      write_contact(writer);
      writer.header(HeaderId::allow, kAllow);
      writer.header(HeaderId::supported, reliable_ && !answered() ? kSupportedReliably : kSupported);
      session_.write_request(writer, session_terms());
      if (!body.empty()) sent_description_.assign(body);
    }
    if (!core.settings->useragent.empty()) writer.header(HeaderId::user_agent, core.settings->useragent);
    extra(writer);
    line::write(writer, proofs);
    if (body.empty()) writer.end();
    else writer.body(content_type, body);
  };
  write();
  if (const auto other = flow_for(out.size())) {
    set_flow(*other);
    flow = *other;
    out.clear();
    write();
  }
  if (customer_) {
    if (method == Method::invite) customer_->invite = {};
    if (method == Method::update) customer_->update = {};
    if (method == Method::bye) customer_->bye = {};
  }
  if (method == Method::invite) invite_proofs_ = std::move(proofs);
  const auto t1 = customer_ && method == Method::invite ? customer_->t1 : Duration(0);
  const auto transaction = core.transactions.send(flow, method, branch, out, t1);
  if (transaction) services_.legs.own(transaction, number_);
  return transaction;
}

bool Leg::send_aside(Method method, std::string_view body, std::string_view content_type) {
  const bool sent = send_aside_in(request_dialog(), method, body, content_type);
  if (sent && customer_) aside_.back() = {.transaction = aside_.back().transaction, .method = method, .body = std::string(body), .content_type = std::string(content_type)};
  return sent;
}

bool Leg::send_aside_in(stack::Dialog& dialog, Method method, std::string_view body, std::string_view content_type,
                        const stack::Transactions::ExtraHeaders& extra) {
  const auto transaction = send_in(dialog, method, body, extra, content_type);
  if (transaction) aside_.push_back({.transaction = transaction});
  return static_cast<bool>(transaction);
}

void Leg::send_ack(std::uint32_t cseq, std::string_view body) {
  auto& core = services_.core;
  const auto flow = out_flow();
  const auto reach = core.transport.reach(flow);
  std::string out;
  Writer writer = dialog_.begin_request(out, "ACK", cseq, {stack::transport_name(flow.kind), reach.host, reach.port, core.transactions.new_branch()});
  line::write(writer, invite_proofs_);  // §22.1: an ACK cannot be challenged
  if (body.empty()) writer.end();
  else writer.body("application/sdp", body);
  if (!body.empty()) sent_description_.assign(body);
  core.transactions.send_stateless(flow, out);
}

bool Leg::respond(stack::ServerTransactionId transaction, int code, std::string_view phrase, std::string_view sdp,
                  const stack::Transactions::ExtraHeaders& extra, std::string_view tag) {
  auto& core = services_.core;
  const Message* request = core.transactions.request_of(transaction);
  if (!request) return false;
  const auto flow = core.transactions.flow_of(transaction);
  std::string out;
  out.reserve(1024 + sdp.size());
  Writer writer = start_response(out, *request, code, phrase, tag.empty() ? std::string_view(dialog_.local_tag()) : tag, flow.remote.host(), flow.remote.port());
  const bool session = request->method() == Method::invite || request->method() == Method::update;
  if (code < 300 && session) {  // it makes or refreshes a dialog (§12.1.1)
    writer.copy_all(*request, HeaderId::record_route);
    write_contact(writer);
    writer.header(HeaderId::allow, kAllow);
    if (code >= 200) {
      writer.header(HeaderId::supported, kSupported);
      session_.write_answer(writer);
    }
    if (!sdp.empty()) sent_description_.assign(sdp);
  }
  if (!core.settings->useragent.empty()) writer.header(HeaderId::server, core.settings->useragent);
  extra(writer);
  if (sdp.empty()) writer.end();
  else writer.body("application/sdp", sdp);
  if (session && code >= 200 && code < 300) {
    session_.answered(core.engine.clock().now());
    watch_session();
  }
  return core.transactions.respond(transaction, code, out);
}

}  // namespace jackfield::sip::call
