#include "answer.h"

#include <jackfield/messages/parameters.h>

#include <fmt/format.h>

namespace jackfield::sip {

namespace param = messages::param;

std::string connection_id(const Core& core, const stack::FlowId& flow) {
  if (stack::is_reliable(flow.kind)) return fmt::format("{}-{}", stack::transport_parameter(flow.kind), flow.connection);
  return core.listener(flow).options.name;
}

void set_source(jackfield::Message& message, const Core& core, const stack::FlowId& flow) {
  const auto host = flow.remote.host();
  const auto port = fmt::format_int(flow.remote.port());
  std::string address;
  address.reserve(host.size() + 8);
  flow.remote.append_uri_host(address);
  address.append(1, ':').append(port.data(), port.size());
  message.set(param::kIpHost, host);
  message.set(param::kIpPort, std::string_view(port.data(), port.size()));
  message.set(param::kIpTransport, stack::transport_name(flow.kind));
  message.set(param::kAddress, address);
  message.set(param::kListener, core.listener(flow).options.name);
  if (stack::is_reliable(flow.kind)) {
    message.set(param::kConnectionId, connection_id(core, flow));
    message.set_flag(param::kConnectionReliable, true);
  } else {
    message.set(param::kConnectionId, core.listener(flow).options.name);
  }
}

void answer(Core& core, const stack::IncomingRequest& request, stack::ServerTransactionId transaction, int code,
            std::string_view phrase, const stack::Transactions::ExtraHeaders& extra, Keep keep) {
  const auto headers = [&](Writer& writer) {
    if (!core.settings->useragent.empty()) writer.header(HeaderId::server, core.settings->useragent);
    extra(writer);
  };
  if (!transaction) {
    if (keep == Keep::yes) core.transactions.reply_and_keep(request, code, phrase, headers);
    else core.transactions.reply(request, code, phrase, headers);
    return;
  }
  std::string bytes;
  auto writer = start_response(bytes, request.message, code, phrase, core.transactions.to_tag(request.message),
                               request.flow.remote.host(), request.flow.remote.port());
  headers(writer);
  writer.end();
  core.transactions.respond(transaction, code, bytes);
}

}  // namespace jackfield::sip
