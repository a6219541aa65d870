#include "line/settings.h"

#include <jackfield/messages/user.h>
#include <jackfield/settings.h>

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "call/own_headers.h"
#include "sip/text.h"
#include "sip/uri.h"

namespace jackfield::sip::line {

namespace {

namespace param = messages::param;

constexpr std::chrono::seconds kLeastRetry{30}, kMostRetry{600};  // COMPAT §6: half the interval, within these
constexpr std::size_t kMostNetworks = 256;
constexpr std::string_view kInbound = "inb:", kOutbound = "out:", kRegister = "reg:osip_";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = text::lower(c);
  return out;
}

/// Reads one user.login; the first problem ends it.
class Reader {
 public:
  explicit Reader(const jackfield::Message& login) : login_(login) {}

  tl::expected<ConnectionSettings, std::string> read() {
    out_.name = text(param::kAccount);
    if (out_.name.empty()) fail("account: a connection needs a name");
    out_.enabled = flag(param::kEnabled).value_or(true);
    read_identity();
    read_servers();
    read_type();
    read_way();
    read_times();
    read_failover();
    read_entry();
    read_prefixed();
    if (!problem_.empty()) return tl::unexpected(std::move(problem_));
    return std::move(out_);
  }

 private:
  void fail(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }
  std::string text(const messages::ParameterName& name) const { return std::string(text::trim(login_.get(name))); }

  std::optional<bool> flag(const messages::ParameterName& name) {
    const auto said = text(name);
    if (said.empty()) return std::nullopt;
    const auto value = parse_boolean(said);
    if (!value) fail(fmt::format("{}: \"{}\" is neither yes nor no", name.name, said));
    return value;
  }
  std::optional<Duration> time(const messages::ParameterName& name, Duration bare, Duration least, Duration most) {
    const auto said = text(name);
    if (said.empty()) return std::nullopt;
    const auto value = parse_duration(said, bare);
    if (!value || *value < least || *value > most) {
      fail(fmt::format("{}: \"{}\" is no time from {} to {} s", name.name, said, static_cast<double>(least.count()) / 1000, most.count() / 1000));
      return std::nullopt;
    }
    return value;
  }
  stack::Destination destination(std::string_view name, std::string_view said) {
    auto parsed = parse_destination(said);
    if (!parsed) fail(fmt::format("{}: {}", name, parsed.error()));
    return parsed.value_or(stack::Destination{});
  }

  void read_identity() {
    out_.username = text(param::kUsername);
    out_.password = login_.get(param::kPassword);
    out_.authname = text(param::kAuthname);
    if (out_.authname.empty()) out_.authname = out_.username;
    out_.description = text(param::kDescription);
    out_.domain = text(param::kDomain);
    out_.use_domain = flag(param::kUseDomain).value_or(false);
    if (out_.use_domain && out_.domain.empty()) fail("use_domain: domain= says which");
    out_.owner = text(param::kOwner);
  }

  /// `servers`, or `server` with `server.1`, `server.2`…; each with the registrar of its number, or itself one.
  void read_servers() {
    std::vector<stack::Destination> proxies;
    for (const auto& each : parse_list(text(param::kServers))) proxies.push_back(destination(param::kServers.name, each));
    const auto server = text(param::kServer), registrar = text(param::kRegistrar);
    if (proxies.empty() && !server.empty()) proxies.push_back(destination(param::kServer.name, server));
    if (proxies.empty() && !registrar.empty()) proxies.push_back(destination(param::kRegistrar.name, registrar));
    for (std::size_t number = 1; number < kMostServers; ++number) {
      const auto name = fmt::format("{}.{}", param::kServer.name, number);
      if (const auto said = text::trim(login_.get(name)); !said.empty()) proxies.push_back(destination(name, said));
    }
    if (proxies.size() > kMostServers) return fail(fmt::format("servers: {} are more than the {} there can be", proxies.size(), kMostServers));
    for (std::size_t number = 0; number < proxies.size(); ++number) {
      const auto name = number == 0 ? std::string(param::kRegistrar.name) : fmt::format("{}.{}", param::kRegistrar.name, number);
      const auto said = text::trim(login_.get(name));
      out_.servers.push_back({proxies[number], said.empty() ? proxies[number] : destination(name, said)});
    }
  }

  void read_type() {
    auto said = lower(text(param::kConnection));
    if (said.empty()) said = lower(text::trim(login_.get("type")));
    if (said.empty()) said = !out_.servers.empty() && !out_.username.empty() ? "registration" : "trunk";  // Yate's way
    if (said == "registration") out_.type = Type::registration;
    else if (said == "trunk") out_.type = Type::trunk;
    else if (said == "inbound") out_.type = Type::inbound;
    else if (said == "upstream") out_.type = Type::upstream;
    else fail(fmt::format("type: \"{}\" is not registration, trunk, inbound or upstream", said));
    if (out_.type == Type::upstream && out_.servers.empty()) fail("server: an upstream connection needs one, or servers=");
    if (out_.type == Type::upstream)
      for (auto& server : out_.servers) server.registrar = server.proxy;  // one list: what REGISTERs see moves the calls
    if (out_.registers() && out_.username.empty()) fail("username: a registration needs one");
    if (out_.registers() && out_.servers.empty()) fail("registrar: a registration needs one, or server= or servers=");
    if (out_.type != Type::inbound) return;
    if (out_.username.empty()) fail("username: the other side registers under one");
    const bool secret = login_.has(param::kPassword) && !login_.get(param::kPassword).empty();
    if (!secret && login_.get("password.md5").empty() && login_.get("password.sha256").empty()) fail("password: without one anybody could register");
  }

  void read_way() {
    if (const auto said = lower(text(param::kIpTransport)); said == "udp") out_.transport = stack::TransportKind::udp;
    else if (said == "tcp") out_.transport = stack::TransportKind::tcp;
    else if (!said.empty()) fail(fmt::format("ip_transport: there is no transport \"{}\" (udp, tcp)", said));
    if (const auto said = text(param::kOutbound); !said.empty()) {
      out_.outbound = destination(param::kOutbound.name, said);
      const auto text = said.starts_with("sip:") ? said : "sip:" + said;
      const auto uri = Uri::parse(text);
      if (uri && uri->parameter("lr")) out_.outbound_route = fmt::format("<{}>", uri->text);
    } else if (const auto remote = text(param::kIpTransportRemoteip); !remote.empty()) {
      out_.outbound = destination(param::kIpTransportRemoteip.name, remote);
      if (const auto port = text(param::kIpTransportRemoteport); !port.empty()) out_.outbound.port = this->port(param::kIpTransportRemoteport.name, port);
    }
    out_.local_host = text(param::kIpTransportLocalip);
    if (!out_.local_host.empty() && !net::Address::parse(out_.local_host)) fail(fmt::format("ip_transport_localip: \"{}\" is no IP address", out_.local_host));
    if (const auto said = text(param::kIpTransportLocalport); !said.empty()) out_.local_port = port(param::kIpTransportLocalport.name, said);
    const auto local = text(param::kLocaladdress);
    const auto detect = parse_boolean(local);
    if (local.empty() || lower(local) == "auto" || detect.value_or(false)) out_.local_address = LocalAddress::seen;
    else if (detect) out_.local_address = LocalAddress::own;
    else out_.local_address = LocalAddress::given, out_.given_address = local;
    for (auto& server : out_.servers)
      for (stack::Destination* each : {&server.proxy, &server.registrar})
        if (!each->transport) each->transport = out_.transport;
    if (!out_.outbound.host.empty() && !out_.outbound.transport) out_.outbound.transport = out_.transport;
  }

  std::uint16_t port(std::string_view name, std::string_view said) {
    const auto value = parse_integer(said);
    if (value && *value > 0 && *value < 65536) return static_cast<std::uint16_t>(*value);
    fail(fmt::format("{}: \"{}\" is no port", name, said));
    return 0;
  }

  void read_times() {
    using namespace std::chrono_literals;
    if (const auto value = time(param::kInterval, 1s, 1s, 24h)) out_.interval = std::chrono::ceil<std::chrono::seconds>(*value);
    out_.retry = std::clamp<std::chrono::milliseconds>(out_.interval / 2, kLeastRetry, kMostRetry);
    if (const auto value = time(param::kRetryInterval, 1s, 100ms, 24h)) out_.retry = *value;
    out_.keepalive = time(param::kKeepalive, 1s, 0s, 1h);
    out_.qualify = time(param::kQualify, 1s, 0s, 24h).value_or(0s);
    const auto method = lower(text(param::kKeepaliveMethod));
    if (method == "options") out_.keepalive_method = KeepaliveMethod::options;
    else if (method == "notify") out_.keepalive_method = KeepaliveMethod::notify;
    else if (!method.empty() && method != "crlf") fail(fmt::format("keepalive_method: \"{}\" is not crlf, options or notify", method));
    out_.initial_timeout = time(param::kInviteInitialTimeout, 1ms, 10ms, 60s).value_or(0s);
    out_.total_timeout = time(param::kInviteTotalTimeout, 1ms, 100ms, 3min).value_or(0s);
  }

  void read_failover() {
    const auto said = lower(text(param::kHoming));
    if (said == "options") out_.homing = Homing::options;
    else if (said == "register") out_.homing = Homing::reg;
    else if (said == "invite") out_.homing = Homing::invite;
    else if (!said.empty() && parse_boolean(said).value_or(true)) fail(fmt::format("homing: \"{}\" is not no, options, register or invite", said));
    if (out_.homing == Homing::reg && !out_.registers()) fail("homing: a connection that does not register cannot find out by registering; write options or invite");
    out_.failover = flag(param::kParking).value_or(true) || out_.homing != Homing::no;
    out_.homing_interval = time(param::kHomingInterval, std::chrono::seconds(1), std::chrono::seconds(1), std::chrono::hours(24)).value_or(std::chrono::minutes(1));
  }

  void read_entry() {
    const bool trunk = out_.type == Type::trunk && (login_.has(param::kConnection) || login_.has("type"));
    const auto said = parse_list(text(param::kAllowed));
    if (trunk && said.empty()) fail("allowed: a trunk needs the addresses its calls come from, as 192.0.2.1 or 192.0.2.0/24");
    if (said.size() > kMostNetworks) fail(fmt::format("allowed: {} networks are more than the {} there can be", said.size(), kMostNetworks));
    for (const auto& each : said) {
      const auto network = net::Cidr::parse(each);
      if (!network) fail(fmt::format("allowed: \"{}\" is no address or network; write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32", each));
      else if (network->text().ends_with("/0")) fail(fmt::format("allowed: {} is everybody; write the addresses of the other side", each));
      else out_.allowed.push_back(*network);
    }
    out_.match_port = flag(param::kMatchPort).value_or(false);
    out_.match_user = flag(param::kMatchUser);
    out_.transfer = flag(param::kTransfer);
    out_.redirect = flag(param::kRedirect);
    out_.trust_identity = flag(param::kTrustIdentity);
  }

  void read_prefixed() {
    for (const auto& [name, value] : login_.parameters()) {
      if (name.starts_with(kInbound)) out_.inbound.emplace_back(name.substr(kInbound.size()), value);
      else if (name.starts_with(kOutbound)) out_.outbound_parameters.emplace_back(name.substr(kOutbound.size()), value);
      if (name != param::kOperation.name && name != param::kHandlers.name) out_.said.emplace_back(name, value);
    }
    out_.headers = call::own_headers(login_, kRegister);
    std::ranges::sort(out_.said);
  }

  const jackfield::Message& login_;
  ConnectionSettings out_;
  std::string problem_;
};

}  // namespace

std::string uri_host(const stack::Destination& destination) {
  const auto& host = destination.host;
  auto out = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return destination.port == 0 ? out : out + ":" + std::to_string(destination.port);
}

tl::expected<stack::Destination, std::string> parse_destination(std::string_view said) {
  std::string uri_text(said);
  // A bare IPv6 address has no brackets and no port.
  if (const auto address = net::Address::parse(said)) uri_text = address->uri_host();
  if (!uri_text.starts_with("sip:") && !uri_text.starts_with("sips:")) uri_text.insert(0, "sip:");
  const auto uri = Uri::parse(uri_text);
  if (!uri || uri->host.empty()) return tl::unexpected(fmt::format("\"{}\" is no host; write example.net, 192.0.2.1 or 192.0.2.1:5080", said));
  if (uri->scheme != Uri::Scheme::sip) return tl::unexpected(fmt::format("\"{}\" needs TLS, which this version has not", said));
  stack::Destination out{.host = lower(uri->host), .port = uri->port};
  if (out.host.starts_with('[') && out.host.ends_with(']')) out.host = out.host.substr(1, out.host.size() - 2);
  if (const auto transport = uri->parameter("transport")) {
    if (text::equal(*transport, "udp")) out.transport = stack::TransportKind::udp;
    else if (text::equal(*transport, "tcp")) out.transport = stack::TransportKind::tcp;
    else return tl::unexpected(fmt::format("there is no transport \"{}\" (udp, tcp)", *transport));
  }
  return out;
}

std::string_view type_name(Type type) {
  switch (type) {
    case Type::registration: return "registration";
    case Type::trunk: return "trunk";
    case Type::inbound: return "inbound";
    case Type::upstream: return "upstream";
  }
  return "";
}

std::string ConnectionSettings::domain_at(std::size_t server) const {
  if (!domain.empty()) return domain;
  return server < servers.size() ? uri_host(servers[server].registrar) : std::string();
}

std::string ConnectionSettings::register_uri(std::size_t server) const {
  const auto& registrar = servers[server].registrar;
  return "sip:" + (use_domain ? domain : uri_host(registrar));
}

Change change_between(const ConnectionSettings& before, const ConnectionSettings& after) {
  const auto place = [](const ConnectionSettings& s) {
    return std::tie(s.type, s.enabled, s.username, s.domain, s.use_domain, s.servers, s.outbound, s.outbound_route, s.local_host, s.local_port, s.local_address,
                    s.given_address);
  };
  const auto request = [](const ConnectionSettings& s) { return std::tie(s.password, s.authname, s.description, s.interval, s.headers); };
  if (place(before) != place(after)) return Change::renew;
  return request(before) == request(after) ? Change::unseen : Change::refresh;
}

tl::expected<ConnectionSettings, std::string> read_connection(const jackfield::Message& login) { return Reader(login).read(); }

}  // namespace jackfield::sip::line
