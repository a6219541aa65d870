// One connection: bytes in through the framer, bytes out through a queue with a limit. Its socket stands for itself only here and in
// tcp_listener.cpp, so that a connection over TLS or WebSocket differs in how it reads, writes and frames, and shares the
// rest: the flow table, holds, idle times. Owned by the transport's flow table; engine thread.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "sip/message.h"
#include "stack/socket_host.h"

#include <jackfield/clock.h>

namespace jackfield::sip::stack {

class TcpConnection : public std::enable_shared_from_this<TcpConnection> {
 public:
  /// `socket` is connected already, or connect() follows. `host` lives as long as the connection is not ended.
  TcpConnection(boost::asio::ip::tcp::socket socket, SocketHost& host, const FlowId& flow, const TransportOptions& options,
                const Clock& clock);

  void start();  ///< of an accepted one
  void connect(const net::Address& bind);

  const FlowId& flow() const { return flow_; }
  bool connecting() const { return state_ == State::connecting; }
  /// A new request may be sent by it: neither side has begun to end it.
  bool usable() const { return state_ == State::connecting || state_ == State::open; }
  /// False when its queue is over the limit or it ends.
  bool send(std::string_view bytes);
  void flush();
  /// What is queued leaves; then the far end is told, and given a moment to read it.
  void close(std::string reason);
  /// At once, what is queued is lost.
  void abort(std::string reason);
  /// The host is going away: no more events.
  void detach();

  void hold() { ++holds_; }
  void release() { holds_ -= holds_ != 0; }
  /// Since the last whole message; nothing for one that is held or not open yet.
  std::optional<Duration> silence() const;
  /// Looks at the clock: a connection that took too long to open, or nobody uses or holds, ends. How long it may still go on.
  Duration check_age();
  /// The address we have on it; empty while it opens.
  net::Address local() const;

 private:
  enum class State : std::uint8_t {
    connecting,
    open,
    half_closed,  // the far end sends no more, but may still be reading
    flushing,     // we send what is queued and then no more
    draining,     // we read to nowhere until the far end is done: closing earlier would destroy what it has not read
    ended,
  };

  void wait_readable();
  void wait_writable();
  void read();
  void hand_up(std::string_view bytes);
  void refuse(std::string_view seen, int status, std::string_view reason);
  void end_of_stream();
  void written();
  void end(std::string reason);

  boost::asio::ip::tcp::socket socket_;
  SocketHost* host_;
  const TransportOptions& options_;
  const Clock& clock_;
  FlowId flow_;
  State state_ = State::connecting;
  bool waiting_writable_ = false, far_end_done_ = false;
  bool paused_ = false;  // not reading until the far end has read
  unsigned holds_ = 0;
  MonoTime active_;  // last time something happened
  MonoTime began_;   // the message that is being received
  bool heard_ = false;
  StreamFramer framer_;
  std::string queue_;
  std::size_t sent_ = 0;  // of queue_
  std::string reason_;    // why it is being closed
};

}  // namespace jackfield::sip::stack
