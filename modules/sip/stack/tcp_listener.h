// Accepts connections and hands each to the transport. Owned by the transport; engine thread.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "net/address.h"

namespace jackfield::sip::stack {

class TcpListener : public std::enable_shared_from_this<TcpListener> {
 public:
  using Accepted = std::function<void(boost::asio::ip::tcp::socket socket, const net::Address& remote)>;
  /// Called when the system has no descriptor left; accepting goes on with resume().
  using Exhausted = std::function<void(const std::string& reason)>;
  TcpListener(boost::asio::io_context& io, Accepted accepted, Exhausted exhausted);

  /// Binds and listens; the error is errno's text.
  tl::expected<net::Address, std::string> open(const net::Address& bind);
  void resume();
  void close();

 private:
  boost::asio::ip::tcp::acceptor acceptor_;
  Accepted accepted_;
  Exhausted exhausted_;
};

}  // namespace jackfield::sip::stack
