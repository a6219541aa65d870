#include "call/target.h"

#include <jackfield/messages/parameters.h>

#include <fmt/format.h>

#include <utility>

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

constexpr std::string_view kDriver = "sip/", kLine = "line/";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// The listener that `oconnection_id` names. A connection's name needs no looking up: there is one to each address at most.
std::optional<std::uint16_t> chosen_listener(const Core& core, std::string_view name, stack::TransportKind kind) {
  for (std::size_t index = 0; index < core.listeners.size() && !name.empty(); ++index)
    if (const auto& options = core.listeners[index].options; options.name == name && options.kind == kind) return static_cast<std::uint16_t>(index);
  return std::nullopt;
}

tl::unexpected<NoTarget> no_route(std::string reason) { return tl::unexpected(NoTarget{"noroute", std::move(reason)}); }

bool is_uri(std::string_view text) { return text.starts_with("sip:") || text.starts_with("sips:"); }

/// By a connection: a number goes to its servers' domain, a URI is called as it stands; either goes by its servers.
tl::expected<Target, NoTarget> by_line(const Core& core, std::string_view callto, std::string_view name) {
  const auto* line = core.connections ? core.connections->find(name) : nullptr;
  if (!line) return tl::unexpected(NoTarget{"offline", fmt::format("There is no line {}", name)});
  auto exit = core.connections->exit(name);
  if (!exit || exit->servers.empty()) return tl::unexpected(NoTarget{"offline", fmt::format("The line {} is offline", name)});

  const bool complete = is_uri(callto) || callto.find('@') != std::string_view::npos;
  if (callto.empty()) return no_route(fmt::format("No number is given to call by the line {}", name));
  std::vector<Itinerary::Place> places;
  for (auto& server : std::exchange(exit->servers, {})) {
    auto uri = complete ? std::string(callto) : escape_user(callto) + "@" + server.host;
    if (!is_uri(uri)) uri.insert(0, "sip:");
    if (const auto parsed = Uri::parse(uri); !parsed || parsed->host.empty()) return no_route(fmt::format("{} is no SIP URI", uri));
    places.push_back({std::move(server.destination), std::move(server.hops), std::move(uri), std::move(server.host), std::move(server.route), server.index});
  }
  Target target;
  target.itinerary.emplace(std::move(places));
  target.line.emplace(ByLine{.name = std::string(name), .registers = line->settings().registers(), .upstream = line->settings().type == line::Type::upstream, .exit = std::move(*exit)});
  return target;
}

}  // namespace

std::optional<std::string_view> our_target(std::string_view callto) {
  for (const auto prefix : {kDriver, kLine})
    if (callto.starts_with(prefix)) return callto.substr(prefix.size());
  return std::nullopt;
}

tl::expected<Target, NoTarget> find_target(const Core& core, const BindingTable& bindings, std::string_view callto, const BusMessage& message) {
  if (auto binding = bindings.find(callto)) {
    if (!binding->flow) return tl::unexpected(NoTarget{"noanswer", "The phone did not answer the last OPTIONS"});
    if (!core.transport.alive(binding->flow)) return tl::unexpected(NoTarget{"noanswer", "The phone's connection is gone"});
    return Target{binding->flow, std::move(binding->request_uri), std::move(binding->route), true, std::move(binding->device), std::move(binding->username)};
  }
  if (const auto line = message.get(param::kLine); !line.empty()) return by_line(core, callto, line);

  std::string text(callto);
  if (!is_uri(text)) {
    if (text.find('@') == std::string::npos) {
      const auto host = message.get(param::kHost);
      if (host.empty()) return no_route(fmt::format("sip/{} names no host", callto));
      text = escape_user(text) + "@" + std::string(host);
      if (const auto port = message.get(param::kPort); !port.empty()) text.append(":").append(port);
    }
    text.insert(0, "sip:");
  }
  const auto uri = Uri::parse(text);
  if (!uri || uri->host.empty()) return no_route(fmt::format("{} is no SIP URI", text));
  if (uri->scheme == Uri::Scheme::sips) return no_route("There is no TLS listener for a sips URI");

  const auto said = uri->parameter("transport");
  const auto asked = lower(message.get(param::kOipTransport, said.value_or("")));
  if (!asked.empty() && asked != "udp" && asked != "tcp") return no_route(fmt::format("There is no transport {}", asked));
  stack::Destination destination{std::string(uri->host), uri->port};
  if (!asked.empty()) destination.transport = asked == "tcp" ? stack::TransportKind::tcp : stack::TransportKind::udp;

  Target target;
  target.listener = message.get(param::kOconnectionId);
  Itinerary::Place place{.destination = std::move(destination), .request_uri = std::move(text), .host = {}};
  if (const auto numeric = net::Address::parse(place.destination.host, place.destination.port ? place.destination.port : stack::kSipPort))
    place.hops.push_back({place.destination.transport.value_or(stack::TransportKind::udp), *numeric, !place.destination.transport});
  else if (!core.resolver)
    return no_route(fmt::format("{} is a name, and nobody looks up names", place.destination.host));
  target.itinerary.emplace(std::vector<Itinerary::Place>{std::move(place)});
  return target;
}

void name_number(Target& target, std::string_view number) {
  auto& uri = target.request_uri;
  const auto parsed = Uri::parse(uri);
  if (!target.is_binding || number.empty() || !parsed || !parsed->is_sip()) return;
  const auto scheme = uri.find(':') + 1;
  const auto rest = parsed->user.empty() ? scheme : uri.find('@', scheme) + 1;
  uri = uri.substr(0, scheme) + escape_user(number) + "@" + uri.substr(rest);
}

Aim aim(const Core& core, Target& target) {
  if (!target.itinerary) return target.flow ? Aim::ready : Aim::nowhere;
  auto& way = *target.itinerary;
  while (const auto* place = way.place()) {
    if (!way.hop()) {
      std::optional<stack::Resolved> known = tl::unexpected(fmt::format("Nobody looks up {}", place->destination.host));
      if (core.resolver) known = core.resolver->known(place->destination);
      if (!known) return Aim::unknown;
      way.resolved(*known);
      continue;
    }
    const auto& hop = *way.hop();
    auto prefer = chosen_listener(core, target.listener, hop.transport);
    if (!prefer && target.line) prefer = target.line->exit.listener;
    if (const auto flow = core.transport.flow_to(hop.transport, hop.address, prefer)) {
      target.flow = *flow;
      target.request_uri = place->request_uri;
      target.route = place->route;
      target.any_transport = hop.any_transport && target.listener.empty();
      return Aim::ready;
    }
    way.advance();
  }
  return Aim::nowhere;
}

Task<Aim> aim_at_last(const Core* core, std::weak_ptr<void> alive, Target* target) {
  for (;;) {
    const auto found = aim(*core, *target);
    if (found != Aim::unknown) co_return found;
    auto lookup = core->resolver->resolved(target->itinerary->place()->destination);
    const auto resolved = co_await std::move(lookup);
    if (alive.expired()) co_return Aim::nowhere;
    target->itinerary->resolved(resolved);
  }
}

NoTarget nowhere(const Target& target) {
  if (target.itinerary && !target.itinerary->problem().empty()) return {"noroute", target.itinerary->problem()};
  return {"noroute", "No listener reaches where it is to go"};
}

}  // namespace jackfield::sip::call
