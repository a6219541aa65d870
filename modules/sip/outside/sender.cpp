#include "outside/sender.h"

#include <fmt/format.h>

#include "stack/dialog.h"

namespace jackfield::sip::outside {

namespace {

constexpr Duration kConnecting{2000};  // D17: how long a connection may take to open

std::string name_addr(std::string_view display, std::string_view user, std::string_view host) {
  std::string out;
  if (!display.empty()) {
    out += '"';
    for (const char c : display) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += "\" ";
  }
  out += "<sip:";
  if (!user.empty()) out.append(escape_user(user)).append("@");
  return out.append(host).append(">");
}

}  // namespace

Sender::Sender(Core& core)
    : core_(core), timers_(core.engine.timers().add_sink([this](std::uint64_t transaction) {
        // One that is there, and slow to answer, goes on.
        const auto asked = asked_.find(transaction);
        if (asked != asked_.end() && asked->second.opening && core_.transport.connecting(*asked->second.opening)) core_.transport.close(*asked->second.opening);
      })),
      silences_(core.engine.timers().add_sink([this](std::uint64_t transaction) { silent(transaction); })),
      answers_(core.engine.timers()) {}

Sender::~Sender() {
  core_.engine.timers().remove_sink(timers_);
  core_.engine.timers().remove_sink(silences_);
}

std::optional<Pending<Answer>> Sender::send(OwnRequest& request, Duration deadline) {
  auto& random = core_.engine.random();
  const auto uri = Uri::parse(request.target.request_uri);
  const auto called = !request.called.empty() ? request.called : uri ? unescape(uri->user) : std::string();
  if (request.call_id.empty()) {
    request.call_id = fmt::format("{:016x}{:016x}@{}", random.next(), random.next(), core_.transport.reach(request.target.flow).host);
    request.tag = fmt::format("{:016x}", random.next());
  }
  ++request.cseq;
  const auto branch = core_.transactions.new_branch();
  const auto text_for = [&](const stack::FlowId& flow) {
    const auto reach = core_.transport.reach(flow);
    const std::string_view host = request.domain.empty() ? std::string_view(reach.host) : std::string_view(request.domain);
    const auto to_host = !request.target.is_binding && uri ? std::string(uri->host) : std::string(host);
    const stack::Dialog dialog({.call_id = request.call_id,
                                .local_tag = request.tag,
                                .local = name_addr(request.callername, request.caller, host),
                                .remote = name_addr({}, called, to_host),
                                .target = request.target.request_uri,
                                .route = request.target.route,
                                .max_forwards = request.max_forwards});
    std::string out;
    out.reserve(1024 + request.body.size());
    Writer writer = dialog.begin_request(out, request.method, request.cseq, {stack::transport_name(flow.kind), reach.host, reach.port, branch});
    if (request.method != "MESSAGE") {  // which begins nothing to come back to (RFC 3428 §5)
      const bool datagrams = flow.kind == stack::TransportKind::udp;
      writer.header(HeaderId::contact, fmt::format("<sip:{}{}{}:{}{}{}>", escape_user(request.caller), request.caller.empty() ? "" : "@", reach.host, reach.port,
                                                   datagrams ? "" : ";transport=", datagrams ? "" : stack::transport_parameter(flow.kind)));
    }
    if (!core_.settings->useragent.empty()) writer.header(HeaderId::user_agent, core_.settings->useragent);
    call::write(writer, request.headers);
    if (request.body.empty()) writer.end();
    else writer.body(request.type, request.body);
    return out;
  };

  auto flow = request.target.flow;
  auto out = text_for(flow);
  bool opening = false;
  const auto limit = core_.settings->udp_mtu;
  if (request.target.any_transport && limit != 0 && out.size() > limit) {
    if (const auto wide = core_.transport.flow_to(stack::TransportKind::tcp, flow.remote)) {
      flow = *wide;
      opening = core_.transport.connecting(flow);
      out = text_for(flow);
    } else if (request.method == "MESSAGE") {
      auto answer = answers_.open<Answer>(deadline);
      answers_.complete<Answer>(answer.id(), Answer{.unconnected = true});
      return answer;
    }
  }
  const auto transaction = core_.transactions.send(flow, method_from(request.method), branch, out);
  if (!transaction) return std::nullopt;
  auto answer = expect(transaction, deadline);
  auto& asked = asked_[transaction.value];
  if (request.silence.count() > 0) asked.silence = core_.engine.timers().start(silences_, transaction.value, request.silence);
  if (opening) {
    asked.opening = flow;
    asked.limit = core_.engine.timers().start(timers_, transaction.value, kConnecting);
  }
  return answer;
}

Pending<Answer> Sender::expect(stack::ClientTransactionId transaction, Duration deadline) {
  auto answer = answers_.open<Answer>(deadline);
  asked_[transaction.value] = {answer.id()};
  return answer;
}

Sender::Asked Sender::take(Table::iterator asked) {
  const Asked one = asked->second;
  for (const auto& timer : {one.limit, one.silence})
    if (timer) core_.engine.timers().stop(timer);
  asked_.erase(asked);
  return one;
}

void Sender::silent(std::uint64_t transaction) {
  const auto asked = asked_.find(transaction);
  if (asked == asked_.end()) return;
  asked->second.silence = {};
  core_.transactions.abandon({transaction});
  answers_.complete<Answer>(take(asked).answer, Answer{.phrase = "No Answer", .unreachable = true});
}

bool Sender::response(stack::ClientTransactionId transaction, const Message& response) {
  const auto asked = asked_.find(transaction.value);
  if (asked == asked_.end()) return false;
  asked->second.opening.reset();
  if (auto& silence = asked->second.silence) core_.engine.timers().stop(silence), silence = {};
  if (response.status() < 200) return true;
  Answer answer{.code = response.status(), .phrase = std::string(response.reason_phrase()), .body = std::string(response.body()),
                .type = std::string(response.value(HeaderId::content_type))};
  for (const auto& line : response.headers()) {
    if (answer.headers.size() == call::kMaxOwnHeaders) break;
    if (line.id != HeaderId::via) answer.headers.emplace_back(line.id == HeaderId::other ? line.name : header_info(line.id).name, line.value);
  }
  answers_.complete<Answer>(take(asked).answer, std::move(answer));
  return true;
}

bool Sender::client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure) {
  const auto asked = asked_.find(transaction.value);
  if (asked == asked_.end()) return false;
  const auto one = take(asked);
  answers_.complete<Answer>(one.answer, Answer{.phrase = "No Answer", .unconnected = one.opening && failure == stack::ClientFailure::flow_closed, .unreachable = true});
  return true;
}

void Sender::stop() {
  while (!asked_.empty()) take(asked_.begin());
  answers_.stop();
}

}  // namespace jackfield::sip::outside
