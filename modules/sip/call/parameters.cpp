#include "call/parameters.h"

#include <jackfield/messages/parameters.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "answer.h"
#include "call/description.h"
#include "call/identity.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

/// Headers of the transaction and the dialog, and secrets: not for routing.
constexpr HeaderId kOwn[] = {HeaderId::via,           HeaderId::from,          HeaderId::to,
                             HeaderId::call_id,       HeaderId::cseq,          HeaderId::max_forwards,
                             HeaderId::route,         HeaderId::record_route,  HeaderId::content_length,
                             HeaderId::content_type,  HeaderId::authorization, HeaderId::proxy_authorization};

/// What we say ourselves: a header `Uri` is not the Request-URI.
constexpr std::string_view kOurs[] = {param::kSipUri, param::kSipCallid};

}  // namespace

std::string without_escapes(std::string_view display) {
  std::string out;
  out.reserve(display.size());
  for (std::size_t i = 0; i < display.size(); ++i) {
    if (display[i] == '\\' && i + 1 < display.size()) ++i;
    out += display[i];
  }
  return out;
}

Parties::Parties(const Message& invite) {
  const NameAddr& from = *invite.from();
  caller = unescape(from.uri.user);
  callername = without_escapes(from.display);
  if (const auto& uri = invite.request_uri(); uri && !uri->user.empty()) called = unescape(uri->user);
  else called = unescape(invite.to()->uri.user);
}

void copy_headers(BusMessage& to, const Message& from, bool believed) {
  std::string name = "sip_";
  std::vector<std::pair<std::string, std::string>> repeated;  // set at the end: each value that is set takes memory of the message
  for (const HeaderLine& line : from.headers()) {
    if (std::ranges::find(kOwn, line.id) != std::end(kOwn) || (!believed && is_asserted(line.id))) continue;
    name.resize(4);
    // The full name, also where the compact one was sent.
    for (const char c : line.id == HeaderId::other ? line.name : header_info(line.id).name)
      name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (std::ranges::find(kOurs, name) != std::end(kOurs)) continue;
    const auto* earlier = to.find(name);
    if (!earlier) {
      to.set(name, line.value);
      continue;
    }
    auto all = std::ranges::find(repeated, name, &std::pair<std::string, std::string>::first);
    if (all == repeated.end()) all = repeated.emplace(all, name, earlier->value);
    all->second.append(",").append(line.value);
  }
  for (const auto& [header, values] : repeated) to.set(header, values);
}

namespace {

/// Answers to challenges that were not ours: for the server that the call goes to (D19).
void copy_foreign_credentials(BusMessage& message, const Message& invite, std::string_view realm) {
  for (const auto& line : invite.headers()) {
    const bool proxy = line.id == HeaderId::proxy_authorization;
    if (!proxy && line.id != HeaderId::authorization) continue;
    const auto credentials = parse_auth(line.value);
    if (credentials && credentials->realm != realm) message.add(proxy ? param::kProxyAuthorization : param::kAuthorization, line.value);
  }
}

}  // namespace

void describe_invite(BusMessage& message, const Core& core, const Message& invite, const stack::FlowId& flow, const Sender& sender,
                     const Parties& parties) {
  message.set(param::kCaller, parties.caller).set(param::kCalled, parties.called);
  if (!parties.callername.empty()) message.set(param::kCallername, parties.callername);
  if (!sender.username.empty()) message.set(param::kUsername, sender.username);
  if (!sender.line.empty()) message.set(param::kInLine, sender.line);

  const auto hops = invite.max_forwards().value_or(core.settings->max_forwards);
  message.set(param::kAntiloop, hops > 0 ? hops - 1 : 0);  // D13: the next leg has one less
  set_source(message, core, flow);
  message.set(param::kSipUri, invite.request_uri_text());
  message.set(param::kSipFrom, invite.from()->uri.text).set(param::kSipTo, invite.to()->uri.text);
  message.set(param::kSipCallid, invite.call_id());
  if (const auto device = invite.value(HeaderId::user_agent); !device.empty()) message.set(param::kDevice, device);
  const bool believed = is_believed(core, sender);
  copy_headers(message, invite, believed);
  describe_identity(message, invite, believed);
  copy_foreign_credentials(message, invite, core.settings->realm);

  describe_media(message, description_of(invite));
  for (const auto& [name, value] : sender.parameters) message.set(name, value);
}

}  // namespace jackfield::sip::call
