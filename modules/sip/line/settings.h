// What one connection is: the parameters of a user.login, read and checked. Pure; never changed afterwards.
#pragma once

#include <jackfield/message.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "net/address.h"
#include "stack/server_location.h"

namespace jackfield::sip::line {

using Parameters = std::vector<std::pair<std::string, std::string>>;

/// As it stands in a URI: `example.net`, `[2001:db8::1]:5080`; without the transport.
std::string uri_host(const stack::Destination& destination);

/// `host`, `host:port`, `[2001:db8::1]:5060`, or a SIP URI with `transport=`; in lower case, IPv6 without brackets. The error is a
/// sentence.
tl::expected<stack::Destination, std::string> parse_destination(std::string_view text);

inline constexpr std::size_t kMostServers = 16;

/// One of the servers a connection may work with (EL-1): calls and OPTIONS go to the proxy, REGISTER to the registrar (EL-14).
struct ServerSettings {
  stack::Destination proxy, registrar;
  friend bool operator==(const ServerSettings&, const ServerSettings&) = default;
};

enum class Type : std::uint8_t {
  registration,
  trunk,
  inbound,
  upstream,  ///< REGISTERs of others' users are carried there (upstream.register); it sends none of its own
};
std::string_view type_name(Type type);

/// What finds out that the main server is back (EL-6, EL-8 to EL-10). `no` is parking.
enum class Homing : std::uint8_t { no, options, reg, invite };
enum class KeepaliveMethod : std::uint8_t { crlf, options, notify };
/// What Contact says of where we are: our own address, the one the server sees, or a given one.
enum class LocalAddress : std::uint8_t { own, seen, given };

struct ConnectionSettings {
  std::string name;
  Type type = Type::registration;
  bool enabled = true;
  std::string username, password, authname, description;
  std::string domain;       ///< of From, To and what is called; empty: the server's host
  bool use_domain = false;  ///< a REGISTER's Request-URI names it too
  std::string owner;        ///< the user whose phones ring

  std::vector<ServerSettings> servers;  ///< the main one first; none of inbound ones
  stack::Destination outbound;          ///< the hop every request is sent to; without a host: the server itself
  std::string outbound_route;           ///< `<sip:…;lr>`: a Route names it too
  std::optional<stack::TransportKind> transport;
  std::string local_host;               ///< leave by the listener with this address; empty: any
  std::uint16_t local_port = 0;
  LocalAddress local_address = LocalAddress::seen;
  std::string given_address;            ///< `host` or `host:port`, of LocalAddress::given

  std::chrono::seconds interval{300};
  std::chrono::milliseconds retry{150000};
  std::optional<std::chrono::milliseconds> keepalive;  ///< 0: never; unset: where the server sees us at another address than our own
  std::chrono::milliseconds qualify{0};                ///< 0: never
  KeepaliveMethod keepalive_method = KeepaliveMethod::crlf;
  bool failover = true;                                ///< parking=no without homing: the main server alone
  Homing homing = Homing::no;
  std::chrono::milliseconds homing_interval{60000};
  std::chrono::milliseconds initial_timeout{0};        ///< T1; 0: the module's
  std::chrono::milliseconds total_timeout{0};          ///< invite_total_timeout; 0: as long as the transaction lasts

  std::vector<net::Cidr> allowed;
  bool match_port = false;
  std::optional<bool> match_user;  ///< unset: a fitting user is preferred
  std::optional<bool> transfer, redirect, trust_identity;  ///< unset: as the module has it (D6)

  Parameters inbound, outbound_parameters;  ///< `inb:` and `out:`, without the prefix
  Parameters headers;                       ///< `reg:osip_NAME`: headers of REGISTER

  bool registers() const { return type == Type::registration; }
  /// The host of From and To towards this server.
  std::string domain_at(std::size_t server) const;
  /// How the Request-URI of a REGISTER to this server names the domain to register in (RFC 3261 §10.2).
  std::string register_uri(std::size_t server) const;

  friend bool operator==(const ConnectionSettings& a, const ConnectionSettings& b) { return a.said == b.said; }
  Parameters said;  ///< what the connection was made of, as given: equal ones are the same connection
};

/// What a change asks for: nothing is sent where the far side would not see it, one REGISTER where it would, and where the server,
/// the user or our place is another, what was registered is taken back first.
enum class Change : std::uint8_t { unseen, refresh, renew };
Change change_between(const ConnectionSettings& before, const ConnectionSettings& after);

/// The error is one sentence that names the parameter and what to write.
tl::expected<ConnectionSettings, std::string> read_connection(const jackfield::Message& login);

}  // namespace jackfield::sip::line
