#include "dispatcher.h"

#include <algorithm>
#include <string>

#include "answer.h"
#include "guard/guard.h"
#include "registrar/contact.h"

namespace jackfield::sip {

namespace {

using stack::IncomingRequest;

constexpr std::string_view kSupported[] = {"path", "replaces"};  // RFC 3327, RFC 3891

std::string allowed_methods() { return std::string(call::kAllow) + ", REGISTER"; }

bool equal_without_case(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

bool is_supported(std::string_view extension) {
  const auto same = [&](std::string_view ours) { return equal_without_case(ours, extension); };
  return std::any_of(std::begin(kSupported), std::end(kSupported), same) || std::any_of(std::begin(call::kExtensions), std::end(call::kExtensions), same);
}

}  // namespace

void Dispatcher::request(const IncomingRequest& request) {
  const auto& message = request.message;
  if (message.method() == Method::ack) {
    calls_.request(request);
    return;
  }
  const bool new_work = message.to()->tag.empty();
  if (new_work && core_.guard && core_.guard->ignores(message)) return;
  if (!acceptable(request)) return;
  if (new_work) return out_of_dialog(request);
  if (!calls_.request(request)) answer(core_, request, {}, 481);
}

bool Dispatcher::acceptable(const IncomingRequest& request) {
  const auto& message = request.message;
  if (message.method() == Method::other && !(message.to()->tag.empty() && outside_.serves(message))) return answer(core_, request, {}, 501), false;  // §8.2.1
  const auto& uri = message.request_uri();
  if (!uri) return answer(core_, request, {}, 400, uri.error().reason), false;
  const bool callable = uri->scheme == Uri::Scheme::tel && message.method() != Method::reg;
  if (uri->scheme != Uri::Scheme::sip && uri->scheme != Uri::Scheme::sips && !callable) return answer(core_, request, {}, 416), false;  // §8.2.2.1
  std::string unsupported;  // §8.2.2.3
  for (const auto extension : message.has(HeaderId::require) ? message.list(HeaderId::require) : std::vector<std::string_view>{})
    if (!is_supported(extension)) unsupported.append(unsupported.empty() ? "" : ", ").append(extension);
  if (unsupported.empty()) return true;
  answer(core_, request, {}, 420, {}, [&](Writer& writer) { writer.header(HeaderId::unsupported, unsupported); });
  return false;
}

void Dispatcher::out_of_dialog(const IncomingRequest& request) {
  const auto method = request.message.method();
  if ((method == Method::invite || method == Method::reg) && core_.guard && core_.guard->sheds(request))
    return answer(core_, request, {}, 503, {}, [this](Writer& writer) {
      writer.header(HeaderId::retry_after, static_cast<unsigned long>(core_.settings->guard.retry_after.count()));
    });
  switch (method) {
    case Method::reg: return registrar_.request(request);
    case Method::options: return options(request);
    case Method::invite:
      calls_.request(request);
      return;
    case Method::bye:
    case Method::prack:
    case Method::update: return answer(core_, request, {}, 481);  // they mean a dialog, and name none
    default:
      if (outside_.serves(request.message)) return outside_.request(request);
      if (request.message.method() == Method::info) return answer(core_, request, {}, 481);
      return answer(core_, request, {}, 405, {}, [](Writer& writer) { writer.header(HeaderId::allow, allowed_methods()); });
  }
}

/// About the server itself, whoever it names: a B2BUA answers for everybody behind it (RFC 3261 §11.2).
void Dispatcher::options(const IncomingRequest& request) {
  const auto& uri = *request.message.request_uri();  // who looks whether we live may know our address only
  if (!core_.settings->is_our_domain(uri.host) && !core_.transport.is_ours(uri.host, registrar::port_of(uri))) return answer(core_, request, {}, 404);
  const int code = core_.engine.draining() ? 503 : 200;
  answer(core_, request, {}, code, {}, [](Writer& writer) {
    writer.header(HeaderId::allow, allowed_methods());
    writer.header(HeaderId::accept, call::kAccept);
    for (const auto extension : kSupported) writer.header(HeaderId::supported, extension);
    for (const auto extension : call::kExtensions) writer.header(HeaderId::supported, extension);
  });
}

void Dispatcher::cancelled(stack::ServerTransactionId invite, const Message& cancel) {
  if (!gate_.cancelled(invite)) calls_.cancelled(invite, cancel);
}

void Dispatcher::response(stack::ClientTransactionId transaction, const Message& response, const stack::FlowId& flow) {
  if (registrar_.response(transaction) || outside_.response(transaction, response) || lines_.response(transaction, response, flow)) return;
  calls_.response(transaction, response, flow);
}

void Dispatcher::client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure) {
  if (registrar_.client_failed(transaction) || outside_.client_failed(transaction, failure) || lines_.client_failed(transaction, failure)) return;
  calls_.client_failed(transaction, failure);
}

void Dispatcher::flow_closed(const stack::FlowId& flow, std::string_view) {
  registrar_.flow_closed(flow);
  lines_.flow_closed(flow);
  calls_.flow_closed(flow);
}

}  // namespace jackfield::sip
