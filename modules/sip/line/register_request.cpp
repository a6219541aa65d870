#include "line/register_request.h"

#include <fmt/format.h>

#include "stack/dialog.h"

namespace jackfield::sip::line {

void begin_register(Writer& writer, const Context& context, const stack::FlowId& flow, std::string_view branch, const RegisterRequest& request) {
  const auto reach = context.core().transport.reach(flow);
  writer.request("REGISTER", request.uri);
  writer.header(HeaderId::via, stack::via_value({stack::transport_name(flow.kind), reach.host, reach.port, std::string(branch)}));
  if (!context.settings.outbound_route.empty()) writer.header(HeaderId::route, context.settings.outbound_route);
  writer.header(HeaderId::max_forwards, static_cast<unsigned long>(request.max_forwards));
  writer.header(HeaderId::from, request.from);
  writer.header(HeaderId::to, request.to);
  writer.header(HeaderId::call_id, request.call_id);
  writer.cseq(request.cseq, "REGISTER");
  if (!request.contact.empty()) {
    writer.header(HeaderId::contact, fmt::format(fmt::runtime(request.expires == 0 ? "<{}>;expires=0" : "<{}>"), request.contact));
    for (const auto& old : request.old_contacts) writer.header(HeaderId::contact, fmt::format("<{}>;expires=0", old));
    writer.header(HeaderId::expires, static_cast<unsigned long>(request.expires));
  }
  writer.header(HeaderId::supported, "path");  // RFC 3327: an edge in between may record itself
  if (const auto& name = context.core().settings->useragent; !name.empty()) writer.header(HeaderId::user_agent, name);
}

}  // namespace jackfield::sip::line
