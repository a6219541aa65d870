// What connections work with. Owned by Lines, which outlives every connection; what comes back later holds it weakly and looks the
// connection up again by its number. Engine thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "core.h"
#include "line/pace.h"
#include "line/servers.h"
#include "line/settings.h"
#include "stack/keyed_hash.h"
#include "stack/resolver.h"

namespace jackfield::sip::line {

class Connection;

/// A connection runs each of them once at most.
enum class Timer : std::uint8_t {
  next,       ///< to the next REGISTER
  attempt,    ///< how long the one that is under way may take
  ask,        ///< how long an OPTIONS may take
  homing,     ///< to the next look at the main server
  qualify,    ///< to the next look at the active one
  keepalive,
};
inline constexpr std::size_t kTimers = 6;

/// The requests a connection may have under way, one of each.
enum class Slot : std::uint8_t { registration, options };

struct Services {
  Core& core;
  stack::Resolver& resolver;
  std::function<Connection*(LineNumber)> find;
  std::function<void(LineNumber)> addresses_changed;  ///< what entry() goes by
  std::function<void(LineNumber)> ended;              ///< it has unregistered and is to go; called in a later turn
  stack::HashKey contact_key = {};                    ///< of the parameter that names a connection in its Contact
  std::array<TimerSinkId, kTimers> sinks = {};
  std::unique_ptr<Pace> pace = {};
  struct Asked {
    LineNumber number;
    Slot slot;
  };
  std::unordered_map<std::uint64_t, Asked> asked = {};  ///< by client transaction
  std::unordered_multimap<stack::FlowId, LineNumber, stack::FlowHash> by_flow = {};  ///< who uses it
  std::weak_ptr<Services> self = {};

  std::vector<LineNumber> on_flow(const stack::FlowId& flow) const {
    std::vector<LineNumber> out;
    const auto [begin, end] = by_flow.equal_range(flow);
    for (auto each = begin; each != end; ++each) out.push_back(each->second);
    return out;
  }

  Duration jitter(Duration least, Duration most) {
    const auto span = static_cast<std::uint64_t>((most - least).count()) + 1;
    return least + Duration(static_cast<std::int64_t>(core.engine.random().next() % span));
  }
};

/// What the parts of one connection share.
struct Context {
  Services& services;
  LineNumber number;
  ConnectionSettings settings;
  Servers servers;
  stack::FlowId flow = {};       ///< the way to the server in use, where one is known; connections are held
  std::string seen_host = {};    ///< `host:port` the server sees us at, where that is not our own address
  std::array<TimerHandle, kTimers> timers = {};

  Context(Services& services_, LineNumber number_, ConnectionSettings settings_)
      : services(services_), number(number_), settings(std::move(settings_)), servers(settings) {}
  ~Context();
  Context(const Context&) = delete;

  Core& core() const { return services.core; }
  MonoTime now() const { return services.core.engine.clock().now(); }
  void start(Timer timer, Duration delay);
  void stop(Timer timer);
  bool runs(Timer timer) const { return static_cast<bool>(timers[static_cast<std::size_t>(timer)]); }

  /// The listener the settings name; nothing: any.
  std::optional<std::uint16_t> listener(stack::TransportKind transport) const;
  std::optional<stack::FlowId> flow_to(const stack::Hop& hop) const;
  void use_flow(const stack::FlowId& flow);
  /// Sends a request whose answer comes back to `slot`.
  stack::ClientTransactionId send(Slot slot, const stack::FlowId& flow, Method method, std::string_view branch, std::string_view bytes);
  void abandon(stack::ClientTransactionId transaction);
  /// The server saw a request over this flow come from another address than we gave: our contacts are that one from now on (COMPAT §6). False
  /// where it is as it was.
  bool note_seen_address(const Message& response, const stack::FlowId& flow);
  /// How long a request may stay unanswered (EL-2).
  Duration limit() const;

  /// `;line=…`: whoever calls our contact names this connection with it (SP-7). The same after a restart. Registrars alone are told: who
  /// has it may call as the connection, from anywhere.
  std::string contact_parameter() const;
  /// `host:port` of our Contact over this flow.
  std::string contact_host(const stack::FlowId& flow) const;
  std::string contact(const stack::FlowId& flow) const;
  /// With what names the connection.
  std::string registered_contact(const stack::FlowId& flow) const;
};

}  // namespace jackfield::sip::line
