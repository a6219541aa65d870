// Between our addresses and Asio's.
#pragma once

#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <cstring>

#include "net/address.h"

namespace jackfield::sip::stack {

inline boost::asio::ip::tcp::endpoint tcp_endpoint(const net::Address& address) {
  sockaddr_storage name;
  const unsigned size = address.to(name);
  boost::asio::ip::tcp::endpoint endpoint;
  std::memcpy(endpoint.data(), &name, size);
  endpoint.resize(size);
  return endpoint;
}

inline net::Address tcp_address(const boost::asio::ip::tcp::endpoint& endpoint) {
  return net::Address::from(*reinterpret_cast<const sockaddr*>(endpoint.data()));
}

}  // namespace jackfield::sip::stack
