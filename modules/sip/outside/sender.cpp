#include "outside/sender.h"

#include <fmt/format.h>

#include "stack/dialog.h"

namespace jackfield::sip::outside {

namespace {

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

std::optional<Pending<Answer>> Sender::send(const OwnRequest& request, Duration deadline) {
  const auto& flow = request.target.flow;
  const auto reach = core_.transport.reach(flow);
  const std::string_view host = request.domain.empty() ? std::string_view(reach.host) : std::string_view(request.domain);
  const auto uri = Uri::parse(request.target.request_uri);
  auto& random = core_.engine.random();
  const auto called = !request.called.empty() ? request.called : uri ? unescape(uri->user) : std::string();
  const auto to_host = !request.target.is_binding && uri ? std::string(uri->host) : std::string(host);
  stack::Dialog dialog({.call_id = fmt::format("{:016x}{:016x}@{}", random.next(), random.next(), reach.host),
                        .local_tag = fmt::format("{:016x}", random.next()),
                        .local = name_addr(request.callername, request.caller, host),
                        .remote = name_addr({}, called, to_host),
                        .target = request.target.request_uri,
                        .route = request.target.route,
                        .max_forwards = request.max_forwards});
  const auto branch = core_.transactions.new_branch();
  std::string out;
  out.reserve(1024 + request.body.size());
  Writer writer = dialog.begin_request(out, request.method, dialog.next_cseq(), {stack::transport_name(flow.kind), reach.host, reach.port, branch});
  writer.header(HeaderId::contact, fmt::format("<sip:{}{}{}:{}>", escape_user(request.caller), request.caller.empty() ? "" : "@", reach.host, reach.port));
  if (!core_.settings->useragent.empty()) writer.header(HeaderId::user_agent, core_.settings->useragent);
  call::write(writer, request.headers);
  if (request.body.empty()) writer.end();
  else writer.body(request.type, request.body);
  const auto transaction = core_.transactions.send(flow, method_from(request.method), branch, out);
  if (!transaction) return std::nullopt;
  return expect(transaction, deadline);
}

Pending<Answer> Sender::expect(stack::ClientTransactionId transaction, Duration deadline) {
  auto answer = answers_.open<Answer>(deadline);
  asked_[transaction.value] = answer.id();
  return answer;
}

bool Sender::response(stack::ClientTransactionId transaction, const Message& response) {
  const auto asked = asked_.find(transaction.value);
  if (asked == asked_.end()) return false;
  if (response.status() < 200) return true;
  Answer answer{.code = response.status(), .phrase = std::string(response.reason_phrase()), .body = std::string(response.body()),
                .type = std::string(response.value(HeaderId::content_type))};
  for (const auto& line : response.headers()) {
    if (answer.headers.size() == call::kMaxOwnHeaders) break;
    if (line.id != HeaderId::via) answer.headers.emplace_back(line.id == HeaderId::other ? line.name : header_info(line.id).name, line.value);
  }
  const auto id = asked->second;
  asked_.erase(asked);
  answers_.complete<Answer>(id, std::move(answer));
  return true;
}

bool Sender::client_failed(stack::ClientTransactionId transaction) {
  const auto asked = asked_.find(transaction.value);
  if (asked == asked_.end()) return false;
  const auto id = asked->second;
  asked_.erase(asked);
  answers_.complete<Answer>(id, Answer{.phrase = "No Answer"});
  return true;
}

void Sender::stop() {
  asked_.clear();
  answers_.stop();
}

}  // namespace jackfield::sip::outside
