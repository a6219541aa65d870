// Connections by name, for the rest of the sip module: which one a request came in by, how a call leaves by one, and what a call saw
// of its servers. user.login begins, changes and ends them. Owned by module.cpp; engine thread only. Names and numbers go out, never
// pointers that are kept: a connection may be gone in the next turn.
#pragma once

#include <jackfield/bus.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core.h"
#include "line/servers.h"
#include "line/settings.h"
#include "stack/client_auth.h"

namespace jackfield::sip::line {

/// One connection as others see it.
class Line {
 public:
  virtual ~Line() = default;
  virtual const ConnectionSettings& settings() const = 0;
  const std::string& name() const { return settings().name; }
  /// Registered; of a trunk: not known to be out of reach.
  virtual bool online() const = 0;
};

/// How a call leaves by a connection.
struct Exit {
  struct Server {
    ServerIndex index;                      ///< for failed() and answered()
    Hop hop;                                ///< where requests to it are sent: its own host, or the outbound proxy
    std::vector<Destination> destinations;  ///< what is known of it, the machine in use first; empty: look `hop` up
    std::string host;                       ///< of Request-URI, From and To: the domain, or the server with its port
    std::vector<std::string> route;         ///< Route values: outbound proxy, then what the registrar's Service-Route said
  };
  std::vector<Server> servers;  ///< in the order to try them (D18)
  std::string user, display;    ///< of From
  std::string contact_user;     ///< of Contact, with the parameter that names this connection: `101`, and
  std::string contact_parameter;  ///< `;line=x7…`, to follow Contact's host
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

class Lines {
 public:
  explicit Lines(Core& core);
  ~Lines();
  Lines(const Lines&) = delete;

  /// Installs the handlers of user.login, engine.command, engine.help and engine.status.
  void start();
  /// Unregisters all; done when the servers have answered, or soon after.
  Task<> drain();
  void stop();

  /// Null: there is none of that name, or it is disabled.
  const Line* find(std::string_view name) const;
  /// The connection this request belongs to: the one whose contact it was sent to, or one whose servers or allowed addresses are its
  /// source. Null: none.
  const Line* entry(const stack::FlowId& flow, const Message& request) const;
  /// Whether the source is a connection's server or among its allowed addresses (D7: never banned).
  bool is_source(const net::Address& source) const;
  /// Nothing: there is no such connection, or none that calls can leave by.
  std::optional<Exit> exit(std::string_view name) const;

  // What a call saw. The connection's active server moves as D18 says.
  void failed(std::string_view name, ServerIndex server, Failure failure);
  /// `destination`: the machine that answered; anything but 408 and 503 counts.
  void answered(std::string_view name, ServerIndex server, const Destination& destination);

  // From the transaction layer: whether it was for a connection.
  bool response(stack::ClientTransactionId transaction, const Message& response);
  bool client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure);
  void flow_closed(const stack::FlowId& flow);

  std::size_t size() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace jackfield::sip::line
