// What calls and admission ask of connections: which one a request came in by, how a call leaves by one, and where they tell what a
// call saw of its servers. Lines implements it; tests have tables of their own. Engine thread. Names and numbers go out, never
// pointers that are kept: a connection may be gone in the next turn.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "line/servers.h"
#include "line/settings.h"
#include "sip/message.h"
#include "stack/client_auth.h"
#include "stack/resolver.h"

namespace jackfield::sip::line {

/// One connection as others see it.
class Line {
 public:
  virtual ~Line() = default;
  virtual const ConnectionSettings& settings() const = 0;
  const std::string& name() const { return settings().name; }
  /// Registered; of a trunk and an upstream connection: not known to be out of reach.
  virtual bool online() const = 0;
};

/// How a call leaves by a connection.
struct Exit {
  struct Server {
    ServerIndex index;                      ///< for failed() and answered()
    stack::Destination destination;         ///< where requests to it are sent: its own host, or the outbound proxy
    std::vector<stack::Hop> hops;           ///< what is known of that, the machine in use first; empty: look it up
    std::string host;                       ///< of Request-URI, From and To: the domain, or the server with its port
    std::vector<std::string> route;         ///< Route values: outbound proxy, then what the registrar's Service-Route said
  };
  std::vector<Server> servers;  ///< in the order to try them (D18)
  std::string user, display;    ///< of From
  std::string contact_user;     ///< of Contact, with the parameter that names this connection: `101`, and
  std::string contact_host;     ///< `host:port` the servers see us at; empty: as the transport says
  std::optional<std::uint16_t> listener;  ///< to leave by
  stack::Credentials credentials;
  std::chrono::milliseconds initial_timeout{0}, total_timeout{0};  ///< as in ConnectionSettings
  Parameters parameters;        ///< `out:`
};

/// What went wrong at a server (D18).
enum class Failure : std::uint8_t {
  unreachable,  ///< not even 100 in time, ICMP refusal, no connection
  refused,      ///< 408 or 503 before any 101 to 199
};

class Connections {
 public:
  virtual ~Connections() = default;

  /// Null: there is none of that name, or it is disabled.
  virtual const Line* find(std::string_view name) const = 0;
  /// The connection this request belongs to: the one whose contact it was sent to, or one whose servers or allowed addresses are its
  /// source. Null: none. Never an upstream connection.
  virtual const Line* entry(const stack::FlowId& flow, const Message& request) const = 0;
  /// The upstream connection whose servers or allowed addresses are the source. Null: none.
  virtual const Line* upstream_at(const net::Address& source) const = 0;
  /// Whether the source is a connection's server or among its allowed addresses (D7: never banned).
  virtual bool is_source(const net::Address& source) const = 0;
  /// Nothing: there is no such connection, or none that calls can leave by.
  virtual std::optional<Exit> exit(std::string_view name) const = 0;

  // What a call saw. The connection's active server moves as D18 says.
  /// `hop`: the machine it was tried at; null: none was found.
  virtual void failed(std::string_view name, ServerIndex server, const stack::Hop* hop, Failure failure) = 0;
  /// `hop`: the machine that answered; anything but 408 and 503 counts.
  virtual void answered(std::string_view name, ServerIndex server, const stack::Hop& hop) = 0;
};

}  // namespace jackfield::sip::line
