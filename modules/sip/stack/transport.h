// Sockets. Above them a flow is an id: send(flow, bytes) in; opened, message, closed out, in batches. UDP reads and writes in
// batches (recvmmsg, sendmmsg, flushed when the turn ends); TCP frames by Content-Length. Engine thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "stack/flow.h"

namespace jackfield {
class Engine;
}

namespace jackfield::sip::stack {

struct ListenerOptions {
  std::string name;                  ///< "general", or the X of `[listener X]`
  TransportKind kind = TransportKind::udp;
  net::Address bind;                 ///< port 0: any free one
  std::string advertise_host;        ///< D12; empty: the address of the interface the route leaves by
  std::uint16_t advertise_port = 0;
  std::vector<net::Cidr> local_net;  ///< towards these the real address is used although `advertise` is set
};

struct TransportOptions {
  std::size_t max_message = 65535;       ///< bytes; UDP datagrams and framed messages
  std::size_t max_header_bytes = 16384;
  std::chrono::milliseconds tcp_connect_timeout{5000};
  // For connections nobody holds (hold()):
  std::chrono::milliseconds tcp_idle{120000};      ///< since the last whole message
  std::chrono::milliseconds tcp_first{10000};      ///< until the far end has said anything
  std::chrono::milliseconds tcp_message{10000};    ///< from a message's first byte to its last
  std::size_t max_connections = 10000;             ///< a newcomer beyond takes the place of one that was long silent
  std::size_t max_per_source = 100;                ///< of one host, as above; 0: any number
};

class TransportEvents {
 public:
  virtual ~TransportEvents() = default;
  /// `bytes` is valid during the call only.
  virtual void message(const FlowId& flow, std::string_view bytes) = 0;
  /// The framer gave up; the connection is closed after what this sends. `seen` is what it saw of the message.
  virtual void unframed(const FlowId& flow, std::string_view seen, int status, std::string_view reason) = 0;
  virtual void opened(const FlowId& flow) = 0;
  /// No more messages will come or go. Also when connecting failed, and when ICMP refused a UDP flow we sent to.
  virtual void closed(const FlowId& flow, std::string_view reason) = 0;
  /// Whether a connection from there is taken on.
  enum class Admit : std::uint8_t { no, within_limits, always };
  virtual Admit admits(std::uint16_t /*listener*/, const net::Address& /*remote*/) { return Admit::within_limits; }
  /// After a turn of reading datagrams: whether nothing was left, or too little to keep anybody waiting.
  virtual void read(std::uint16_t /*listener*/, bool /*emptied*/) {}
};

/// Abstract so that the layers above are tested over a network of their own. make_transport() gives the one with sockets.
/// Events come from turns of the loop, never from inside a call of these functions.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Binds and listens. The error names the address and, where it can be found, the process that has it.
  virtual tl::expected<std::uint16_t, std::string> open(const ListenerOptions& listener) = 0;
  virtual void close(std::uint16_t listener) = 0;
  virtual std::vector<std::pair<std::uint16_t, ListenerOptions>> listeners() const = 0;  ///< `bind` with the real port

  /// Queued; leaves when the turn ends. False when the flow is gone (connections) or its send queue is over its limit.
  virtual bool send(const FlowId& flow, std::string_view bytes) = 0;
  /// A flow to `remote`: for UDP at once; for TCP an open connection to it or a new one (opened or closed follows).
  /// Nothing when no listener of that kind and address family is open. `prefer`: a listener to leave by, if it fits.
  virtual std::optional<FlowId> flow_to(TransportKind kind, const net::Address& remote,
                                        std::optional<std::uint16_t> prefer = {}) = 0;
  /// A held connection is never idle (D17): one hold for each binding or dialog on it.
  virtual void hold(const FlowId& flow) = 0;
  virtual void release(const FlowId& flow) = 0;
  virtual bool alive(const FlowId& flow) const = 0;
  /// A connection that is being set up.
  virtual bool connecting(const FlowId& flow) const = 0;
  /// What was queued still leaves; closed() follows.
  virtual void close(const FlowId& flow) = 0;

  /// host and port by which the far end of `flow` reaches us (D12): advertise, or the local address the route to it leaves by
  /// with the listener's port. As written in Via and Contact: IPv6 in brackets; never 0.0.0.0.
  struct Reach {
    std::string host;
    std::uint16_t port;
  };
  virtual Reach reach(const FlowId& flow) const = 0;
  /// True when host:port names one of our listeners (bound, advertised, or an interface's address on a wildcard listener).
  virtual bool is_ours(std::string_view host, std::uint16_t port) const = 0;
  /// Writes what send() queued.
  virtual void flush() = 0;
};

/// Sockets on the engine's loop. `events` outlives it.
std::unique_ptr<Transport> make_transport(Engine& engine, TransportOptions options, TransportEvents& events);

}  // namespace jackfield::sip::stack
