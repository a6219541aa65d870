#include "call/target.h"

#include <jackfield/messages/parameters.h>

#include <fmt/format.h>

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

constexpr std::uint16_t kDefaultPort = 5060;

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

}  // namespace

tl::expected<Target, NoTarget> find_target(const Core& core, const BindingTable& bindings, std::string_view callto, const BusMessage& message) {
  if (auto binding = bindings.find(callto)) {
    if (!core.transport.alive(binding->flow)) return tl::unexpected(NoTarget{"noanswer", "The phone's connection is gone"});
    return Target{binding->flow, std::move(binding->request_uri), std::move(binding->route), true, std::move(binding->device), std::move(binding->username)};
  }
  if (const auto line = message.get(param::kLine); !line.empty())
    return tl::unexpected(NoTarget{"offline", fmt::format("There is no line {}", line)});

  std::string text(callto);
  if (!text.starts_with("sip:") && !text.starts_with("sips:")) {
    if (text.find('@') == std::string::npos) {
      const auto host = message.get(param::kHost);
      if (host.empty()) return tl::unexpected(NoTarget{"noroute", fmt::format("sip/{} names no host", callto)});
      text = escape_user(text) + "@" + std::string(host);
      if (const auto port = message.get(param::kPort); !port.empty()) text.append(":").append(port);
    }
    text.insert(0, "sip:");
  }
  const auto uri = Uri::parse(text);
  if (!uri || uri->host.empty()) return tl::unexpected(NoTarget{"noroute", fmt::format("{} is no SIP URI", text)});
  if (uri->scheme == Uri::Scheme::sips) return tl::unexpected(NoTarget{"noroute", "There is no TLS listener for a sips URI"});

  const auto address = net::Address::parse(uri->host, uri->port ? uri->port : kDefaultPort);
  if (!address) return tl::unexpected(NoTarget{"noroute", fmt::format("{} is a name; only numeric hosts are called", uri->host)});
  const auto said = uri->parameter("transport");
  const bool any_transport = !said && !message.has(param::kOipTransport) && !message.has(param::kOconnectionId);
  const auto transport = lower(message.get(messages::param::kOipTransport, said.value_or("udp")));
  if (transport != "udp" && transport != "tcp")
    return tl::unexpected(NoTarget{"noroute", fmt::format("There is no transport {}", transport)});
  const auto kind = transport == "tcp" ? stack::TransportKind::tcp : stack::TransportKind::udp;
  const auto flow = core.transport.flow_to(kind, *address, chosen_listener(core, message.get(param::kOconnectionId), kind));
  if (!flow) return tl::unexpected(NoTarget{"noroute", fmt::format("No listener reaches {} over {}", address->text(), transport)});
  return Target{.flow = *flow, .request_uri = std::move(text), .any_transport = any_transport};
}

}  // namespace jackfield::sip::call
