#include "stack/tcp_listener.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/ip/v6_only.hpp>

#include "stack/tcp_endpoint.h"

namespace jackfield::sip::stack {

using boost::asio::ip::tcp;
using Code = boost::system::error_code;

TcpListener::TcpListener(boost::asio::io_context& io, Accepted accepted, Exhausted exhausted)
    : acceptor_(io), accepted_(std::move(accepted)), exhausted_(std::move(exhausted)) {}

tl::expected<net::Address, std::string> TcpListener::open(const net::Address& bind) {
  const tcp::endpoint endpoint = tcp_endpoint(bind);
  Code error;
  acceptor_.open(endpoint.protocol(), error);
  if (!error && bind.is_v6()) acceptor_.set_option(boost::asio::ip::v6_only(true), error);
  // Connections of a server that ended a moment ago do not keep its port; another listener still does.
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(tcp::acceptor::max_listen_connections, error);
  if (error) {
    Code ignored;
    acceptor_.close(ignored);
    return tl::unexpected(error.message());
  }
  resume();
  return tcp_address(acceptor_.local_endpoint());
}

void TcpListener::resume() {
  if (!acceptor_.is_open()) return;
  acceptor_.async_accept([self = shared_from_this()](const Code& error, tcp::socket socket) {
    if (!self->acceptor_.is_open() || error == boost::asio::error::operation_aborted) return;
    if (error == boost::asio::error::no_descriptors || error == boost::asio::error::no_buffer_space ||
        error == boost::asio::error::no_memory)
      return self->exhausted_(error.message());
    if (!error) {
      Code gone;  // it may have left already
      const tcp::endpoint remote = socket.remote_endpoint(gone);
      if (!gone) self->accepted_(std::move(socket), tcp_address(remote));
    }
    self->resume();
  });
}

void TcpListener::close() {
  Code ignored;
  acceptor_.close(ignored);
}

}  // namespace jackfield::sip::stack
