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
  const net::AddressText source(flow.remote);
  message.add(param::kIpHost, source.host());
  message.add(param::kIpPort, source.port());
  message.add(param::kIpTransport, stack::transport_name(flow.kind));
  message.set(param::kAddress, source.text());  // a channel's message has it already
  message.add(param::kListener, core.listener(flow).options.name);
  if (stack::is_reliable(flow.kind)) {
    message.add(param::kConnectionId, connection_id(core, flow));
    message.add(param::kConnectionReliable, "true");
  } else {
    message.add(param::kConnectionId, core.listener(flow).options.name);
  }
}

namespace {

/// With what every answer of ours has.
auto with_server(const Core& core, const stack::Transactions::ExtraHeaders& extra) {
  return [&](Writer& writer) {
    if (!core.settings->useragent.empty()) writer.header(HeaderId::server, core.settings->useragent);
    extra(writer);
  };
}

}  // namespace

void answer(Core& core, const stack::IncomingRequest& request, stack::ServerTransactionId transaction, int code,
            std::string_view phrase, const stack::Transactions::ExtraHeaders& extra, Keep keep) {
  const auto headers = with_server(core, extra);
  if (!transaction) {
    if (keep == Keep::yes) core.transactions.reply_and_keep(request, code, phrase, headers);
    else core.transactions.reply(request, code, phrase, headers);
    return;
  }
  std::string bytes;
  bytes.reserve(1024);  // longer ones grow
  auto writer = start_response(bytes, request.message, code, phrase, core.transactions.to_tag(request.message),
                               net::AddressText(request.flow.remote).host(), request.flow.remote.port());
  headers(writer);
  writer.end();
  core.transactions.respond(transaction, code, bytes);
}

stack::HeldAnswerId hold_answer(Core& core, const stack::IncomingRequest& request, int code, const stack::Transactions::ExtraHeaders& extra) {
  return core.transactions.hold(request, code, {}, with_server(core, extra));
}

void refuse_held(Core& core, stack::HeldAnswerId held, int code, std::string_view phrase, const stack::Transactions::ExtraHeaders& extra) {
  core.transactions.refuse(held, code, phrase, with_server(core, extra));
}

}  // namespace jackfield::sip
