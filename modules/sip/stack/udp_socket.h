// One UDP listener: datagrams come and go in batches (recvmmsg, sendmmsg) over a socket whose readiness Asio reports. An ICMP error
// about one far end is told as closed() of that flow and holds up nobody else. Owned by the transport; engine thread.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "stack/socket_host.h"

namespace jackfield::sip::stack {

/// Buffers for one recvmmsg; all UDP sockets of a transport share them.
class ReceiveBatch;

class UdpSocket : public std::enable_shared_from_this<UdpSocket> {
 public:
  UdpSocket(boost::asio::io_context& io, SocketHost& host, ReceiveBatch& batch, std::uint16_t listener);

  /// Binds; the error is errno's text.
  tl::expected<net::Address, std::string> open(const net::Address& bind);
  /// False when the queue is over its limit.
  bool send(const net::Address& remote, std::string_view bytes);
  void flush();
  void close();

 private:
  struct Queued {
    net::Address remote;
    std::size_t begin, size;
  };

  void wait_readable();
  void wait_writable();
  void read();
  void deliver(const net::Address& remote, std::string_view bytes, bool truncated);
  unsigned drain_errors();
  void refuse(const net::Address& remote, int error);

  boost::asio::posix::stream_descriptor descriptor_;
  SocketHost& host_;
  ReceiveBatch& batch_;
  std::uint16_t listener_;
  bool waiting_writable_ = false;
  std::vector<Queued> queue_;
  std::vector<char> bytes_;  // of what is queued, one behind the other
};

struct ReceiveBatchDeleter {
  void operator()(ReceiveBatch* batch) const;
};
std::unique_ptr<ReceiveBatch, ReceiveBatchDeleter> make_receive_batch(std::size_t max_message);

}  // namespace jackfield::sip::stack
