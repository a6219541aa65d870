#include "line/carried_order.h"

#include <jackfield/messages/upstream.h>
#include <jackfield/settings.h>

#include <algorithm>

#include "sip/text.h"
#include "sip/uri.h"

namespace jackfield::sip::line {

namespace {

namespace param = messages::param;

constexpr std::uint32_t kMostCseq = 0x7fffffff;  // RFC 3261 §8.1.1.5
constexpr long long kMostHops = 71;         // 70 once it has left (RFC 3261 §8.1.1.6)
/// What a response says of its own way, and what has a parameter of its own.
constexpr HeaderId kNotTold[] = {HeaderId::via,  HeaderId::from,    HeaderId::to,          HeaderId::call_id,
                                 HeaderId::cseq, HeaderId::contact, HeaderId::record_route, HeaderId::content_length};

std::vector<std::string> all(const jackfield::Message& message, const messages::ParameterName& name) {
  std::vector<std::string> out;
  for (const auto& [key, value] : message.parameters())
    if (key == name.name && !value.empty()) out.emplace_back(value);
  return out;
}

}  // namespace

tl::expected<Carried::Order, std::string> Carried::Order::read(const jackfield::Message& message, LineNumber line) {
  Order order{.line = line,
              .user = std::string(message.get(param::kUsername)),
              .domain = std::string(message.get(param::kDomain)),
              .uri = std::string(message.get(param::kSipUri)),
              .token = std::string(message.get(param::kContactUser)),
              .call_id = std::string(message.get(param::kSipCallid)),
              .tag = std::string(message.get(param::kFromTag)),
              .cseq = 0,
              .expires = static_cast<std::uint32_t>(std::clamp<long long>(message.number(param::kExpires), 0, UINT32_MAX)),
              .hops = static_cast<unsigned>(std::clamp<long long>(message.number(param::kAntiloop, kMostHops), 0, kMostHops)),
              .authorization = all(message, param::kAuthorization),
              .proxy_authorization = all(message, param::kProxyAuthorization),
              .credentials = {std::string(message.get(param::kAuthname, message.get(param::kUsername))), std::string(message.get(param::kPassword)),
                              std::string(message.get(param::kHa1Md5)), std::string(message.get(param::kHa1Sha256)), std::string(message.get(param::kHa1Realm))}};
  const auto cseq = message.number(param::kSipCseq);
  if (order.user.empty()) return tl::unexpected(std::string("username: an AOR needs one"));
  if (order.call_id.empty() || order.tag.empty()) return tl::unexpected(std::string("sip_callid, from_tag: an AOR's REGISTERs have the same for its life"));
  if (cseq <= 0 || cseq > kMostCseq) return tl::unexpected(std::string("sip_cseq: a number from 1 on, higher than the last"));
  if (!order.uri.empty() && !Uri::parse(order.uri)) return tl::unexpected(std::string("sip_uri: it is no URI"));
  order.cseq = static_cast<std::uint32_t>(cseq) - 1;
  return order;
}

std::optional<Carried::Place> Carried::Order::next(const Context& context) const {
  const auto& servers = context.servers;
  for (std::size_t step = 0; step < servers.size() && (step == 0 || context.settings.failover); ++step) {
    const auto server = (servers.active() + step) % servers.size();
    if (std::ranges::find(looked_up, server) == looked_up.end()) return Place{server, std::nullopt};
    const auto& way = servers.way(server, Servers::Purpose::calls);
    auto hops = way.hops();
    if (const auto* current = way.current()) std::ranges::rotate(hops, std::ranges::find(hops, *current));
    for (const auto& hop : hops)
      if (std::ranges::none_of(tried, [&](const Place& place) { return place.server == server && place.hop == hop; })) return Place{server, hop};
  }
  return std::nullopt;
}

/// By its token: what stands between us and the server may have written another address.
std::uint32_t Carried::Order::granted_by(const Message& response) const {
  const auto& contacts = response.contacts();
  // A registrar that lists nothing at all still says for how long.
  if (!contacts) return response.has(HeaderId::contact) || expires == 0 ? 0 : response.expires().value_or(0);
  const auto ours = Uri::parse(contact);
  std::optional<std::uint32_t> granted;
  for (const auto& each : *contacts) {
    if (each.star || unescape(each.address.uri.user) != token) continue;
    const auto here = each.expires.value_or(response.expires().value_or(expires));
    if (ours && each.address.uri.equivalent(*ours)) return here;
    granted = std::max(granted.value_or(0), here);
  }
  return granted.value_or(0);
}

void Carried::Order::tell(jackfield::Message& message, const Message& response) const {
  message.set(param::kCode, response.status()).set(param::kReason, response.reason_phrase()).set(param::kSipCseq, static_cast<long long>(cseq));
  message.set(param::kAddress, answered_by.text());
  if (response.status() < 300 && !token.empty()) message.set(param::kExpires, static_cast<long long>(granted_by(response)));
  message.erase(param::kSipContact);
  for (const auto contact : response.list(HeaderId::contact)) message.add(param::kSipContact, contact);
  for (const auto& line : response.headers()) {
    if (std::ranges::find(kNotTold, line.id) != std::end(kNotTold)) continue;
    std::string name = "sip_";
    for (const char c : line.id == HeaderId::other ? line.name : header_info(line.id).name) name += text::lower(c);
    const bool challenge = line.id == HeaderId::www_authenticate || line.id == HeaderId::proxy_authenticate;
    if (challenge) message.add(name, stack::without_auth_int(line.value));  // D19: a body is not ours to be signed for
    else message.add(name, line.value);
  }
}

}  // namespace jackfield::sip::line
