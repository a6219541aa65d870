// What a registration puts on the wire, and what it reads from a 2xx beside its being one.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "call/own_headers.h"
#include "line/registration.h"
#include "stack/dialog.h"

namespace jackfield::sip::line {

namespace {

constexpr std::size_t kMostOldContacts = 4;

std::string display_name(std::string_view display) {
  if (display.empty()) return {};
  std::string out = "\"";
  for (const char c : display) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\" ";
}

}  // namespace

/// §10.2, with what this attempt is for.
std::string Registration::write(const std::string& branch) {
  const auto& settings = context_.settings;
  const auto& flow = attempt_->flow;
  const bool removal = attempt_->purpose == Purpose::removal;
  const bool elsewhere = redirection_ && attempt_->purpose != Purpose::probe;
  const auto uri = elsewhere ? redirection_->uri : settings.register_uri(attempt_->server);
  const auto reach = context_.core().transport.reach(flow);
  const auto user = fmt::format("<sip:{}@{}>", escape_user(settings.username), settings.domain_at(attempt_->server));
  attempt_->contact = removal ? contact_ : context_.registered_contact(flow);

  std::string out;
  out.reserve(1024);
  Writer writer(out);
  writer.request("REGISTER", uri);
  writer.header(HeaderId::via, stack::via_value({stack::transport_name(flow.kind), reach.host, reach.port, branch}));
  if (!settings.outbound_route.empty()) writer.header(HeaderId::route, settings.outbound_route);
  writer.header(HeaderId::max_forwards, 70UL);
  writer.header(HeaderId::from, fmt::format("{}{};tag={}", display_name(settings.description), user, tag_));
  writer.header(HeaderId::to, user);
  writer.header(HeaderId::call_id, call_id_);
  writer.cseq(++cseq_, "REGISTER");
  writer.header(HeaderId::contact, removal ? fmt::format("<{}>;expires=0", attempt_->contact) : fmt::format("<{}>", attempt_->contact));
  if (!removal && attempt_->purpose == Purpose::refresh)
    for (const auto& old : old_contacts_)
      if (old != attempt_->contact) writer.header(HeaderId::contact, fmt::format("<{}>;expires=0", old));
  writer.header(HeaderId::expires, removal ? 0UL : static_cast<unsigned long>(asked_.count()));
  writer.header(HeaderId::supported, "path");  // RFC 3327: an edge in between may record itself
  if (!context_.core().settings->useragent.empty()) writer.header(HeaderId::user_agent, context_.core().settings->useragent);
  proofs_.write(writer, "REGISTER", uri, {settings.authname, settings.password}, context_.core().engine.random());
  call::write(writer, settings.headers);
  writer.end();
  return out;
}

std::chrono::seconds Registration::granted_by(const Message& response) const {
  const auto ours = Uri::parse(contact_);
  auto granted = response.expires();
  if (const auto& contacts = response.contacts(); contacts && ours)
    for (const auto& contact : *contacts)  // one that is alone is ours, whatever an edge made of its address
      if (!contact.star && contact.expires && (contacts->size() == 1 || contact.address.uri.equivalent(*ours))) granted = contact.expires;
  return granted && *granted != 0 ? std::min(std::chrono::seconds(*granted), kMostInterval) : asked_;
}

/// The server saw the request come from another address than we gave: our contact is that one from now on (COMPAT §6), and the old one
/// is taken back in the same request.
void Registration::note_seen_address(const Message& response, const stack::FlowId& flow) {
  if (context_.settings.local_address != LocalAddress::seen || !flow || !context_.core().listener(flow).options.advertise_host.empty()) return;
  const auto& via = response.top_via();
  if (!via || via->received.empty()) return;
  const auto received = net::Address::parse(via->received);
  if (!received) return;
  const auto reach = context_.core().transport.reach(flow);
  const auto own = net::Address::parse(reach.host, reach.port);
  // A connection's port is good for this connection only; the server writes to our listener.
  const auto port = is_reliable(flow.kind) || via->rport == 0 ? reach.port : via->rport;
  const auto seen = own && own->same_host(*received) && port == reach.port ? std::string() : fmt::format("{}:{}", received->uri_host(), port);
  if (seen == context_.seen_host) return;
  context_.core().log.info("event=connection-address connection={} seen={}", log_value(context_.settings.name), seen.empty() ? "own" : seen);
  context_.seen_host = seen;
  if (old_contacts_.size() < kMostOldContacts) old_contacts_.push_back(contact_);
  moved_ = true;
}

/// Contacts of ours from another life, at an address that is no longer ours: calls would be forked to them.
void Registration::note_stale_contacts(const Message& response) {
  if (std::exchange(cleaned_, true)) return;
  const auto& contacts = response.contacts();
  const auto ours = Uri::parse(contact_);
  if (!contacts || !ours) return;
  const auto parameter = context_.contact_parameter().substr(1);
  for (const auto& contact : *contacts) {
    const auto& uri = contact.address.uri;
    if (contact.star || uri.equivalent(*ours) || old_contacts_.size() >= kMostOldContacts) continue;
    if (uri.parameter("line") == parameter.substr(parameter.find('=') + 1)) old_contacts_.emplace_back(uri.text);
  }
}

}  // namespace jackfield::sip::line
