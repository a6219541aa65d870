#include "stack/tcp_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "stack/tcp_endpoint.h"

namespace jackfield::sip::stack {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Code = boost::system::error_code;

constexpr std::size_t kQueuedBytes = 4u << 20;
constexpr std::size_t kPauseBytes = 256u << 10;  // unsent, and no more is read: answers that nobody takes are not made
constexpr unsigned kRounds = 4;                  // reads before others have their turn
constexpr std::size_t kKeptCapacity = 16 * 1024; // of an idle connection's queue
constexpr Duration kHalfClosed{5000};            // for answers to what a far end sent before it shut its side, and last words
constexpr Duration kDraining{2000};
constexpr unsigned kUnacknowledged = 32000;      // milliseconds: 64*T1

}  // namespace

TcpConnection::TcpConnection(tcp::socket socket, SocketHost& host, const FlowId& flow, const TransportOptions& options,
                             const Clock& clock)
    : socket_(std::move(socket)),
      host_(&host),
      options_(options),
      clock_(clock),
      flow_(flow),
      active_(clock.now()),
      framer_({.max_header_bytes = options.max_header_bytes, .max_body_bytes = options.max_message}) {}

void TcpConnection::start() {
  Code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  // A far end that vanished without a word is known as soon as what we send goes unacknowledged for so long.
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnacknowledged, sizeof kUnacknowledged);
  state_ = State::open;
  host_->watch(flow_, check_age(), TimerKind::coarse);
  wait_readable();
}

void TcpConnection::connect(const net::Address& bind) {
  const tcp::endpoint remote = tcp_endpoint(flow_.remote);
  Code error;
  socket_.open(remote.protocol(), error);
  if (!error && !bind.is_unspecified()) socket_.bind(tcp_endpoint(bind.with_port(0)), error);
  if (error) return end(error.message());
  host_->watch(flow_, options_.tcp_connect_timeout, TimerKind::precise);
  socket_.async_connect(remote, [self = shared_from_this()](const Code& failed) {
    if (self->state_ == State::ended) return;
    if (failed) return self->end(failed.message());
    const TurnScope scope(*self->host_);
    self->active_ = self->clock_.now();
    self->heard_ = true;  // it is we who have something to say
    self->start();
    self->host_->events().opened(self->flow_);
    self->flush();
  });
}

void TcpConnection::wait_readable() {
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const Code& error) {
    if (!error && self->state_ != State::ended) self->read();
  });
}

void TcpConnection::wait_writable() {
  if (waiting_writable_) return;
  waiting_writable_ = true;
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const Code& error) {
    self->waiting_writable_ = false;
    if (!error && self->state_ != State::ended) self->flush();
  });
}

void TcpConnection::read() {
  const TurnScope scope(*host_);
  for (unsigned round = 0; round < kRounds; ++round) {
    const std::span<char> buffer = host_->read_buffer();
    Code error;
    const std::size_t size = socket_.read_some(asio::buffer(buffer.data(), buffer.size()), error);
    if (error == asio::error::would_block || error == asio::error::interrupted) break;
    if (error == asio::error::eof) return end_of_stream();
    if (error) return end(error.message());
    if (state_ == State::open) hand_up({buffer.data(), size});
    if (state_ == State::ended) return;
    if (state_ == State::open && queue_.size() - sent_ > kPauseBytes) flush();
    if (state_ == State::ended) return;
    if (state_ == State::open && queue_.size() - sent_ > kPauseBytes) {
      paused_ = true;
      return;  // flush() goes on
    }
    if (size < buffer.size()) break;
  }
  wait_readable();
}

std::optional<Duration> TcpConnection::silence() const {
  if (holds_ != 0 || state_ == State::connecting) return std::nullopt;
  return clock_.now() - active_;
}

void TcpConnection::hand_up(std::string_view bytes) {
  heard_ = true;
  if (framer_.pending() == 0) began_ = clock_.now();
  framer_.feed(bytes);
  while (state_ == State::open) {
    const StreamFramer::Cut cut = framer_.next();
    // Single bytes that never become a message keep nothing open.
    if (cut.what == StreamFramer::What::message || cut.what == StreamFramer::What::keepalive) active_ = began_ = clock_.now();
    switch (cut.what) {
      case StreamFramer::What::need_more:
        return;
      case StreamFramer::What::message:
        host_->events().message(flow_, cut.bytes);
        break;
      case StreamFramer::What::keepalive:
        send("\r\n");  // RFC 5626 §4.4.1
        break;
      case StreamFramer::What::bad:
        return refuse(cut.bytes, 400, cut.reason);
      case StreamFramer::What::too_large:
        // Whole headers mean that the body is what is too large.
        return refuse(cut.bytes, cut.bytes.ends_with("\r\n\r\n") ? 413 : 513, cut.reason);
    }
  }
}

void TcpConnection::refuse(std::string_view seen, int status, std::string_view reason) {
  host_->events().unframed(flow_, seen, status, reason);
  close(std::string(reason));
}

// The far end sends no more. It may be waiting for answers; but a connection that a binding or a dialog lives on is no longer a
// way to anybody, and the sooner that is known the better.
void TcpConnection::end_of_stream() {
  far_end_done_ = true;
  if (reason_.empty()) reason_ = "closed by the far end";
  flush();
  switch (state_) {
    case State::open:
      if (holds_ != 0) return end(reason_);
      state_ = State::half_closed;
      active_ = clock_.now();
      return host_->watch(flow_, kHalfClosed, TimerKind::coarse);
    case State::draining:
      return end(reason_);
    case State::connecting:
    case State::half_closed:
    case State::flushing:
    case State::ended:
      return;
  }
}

bool TcpConnection::send(std::string_view bytes) {
  if (state_ == State::flushing || state_ == State::draining || state_ == State::ended) return false;
  if (queue_.size() - sent_ + bytes.size() > kQueuedBytes) return false;
  queue_.append(bytes);
  host_->queued(flow_.connection);
  return true;
}

void TcpConnection::flush() {
  if (state_ == State::connecting || state_ == State::draining || state_ == State::ended || waiting_writable_) return;
  if (!socket_.is_open()) return;
  while (sent_ < queue_.size()) {
    const ssize_t done = ::send(socket_.native_handle(), queue_.data() + sent_, queue_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done > 0) {
      sent_ += static_cast<std::size_t>(done);
      if (state_ != State::open) active_ = clock_.now();  // what reads our last words may have the time
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return end(Code(errno, boost::system::system_category()).message());
    if (sent_ > queue_.size() / 2) {
      queue_.erase(0, sent_);
      sent_ = 0;
    }
    return wait_writable();
  }
  queue_.clear();
  sent_ = 0;
  if (queue_.capacity() > kKeptCapacity) std::string().swap(queue_);
  written();
  if (std::exchange(paused_, false) && state_ != State::ended) wait_readable();
}

void TcpConnection::written() {
  if (state_ != State::flushing) return;
  if (far_end_done_) return end(reason_);
  state_ = State::draining;
  active_ = clock_.now();
  host_->watch(flow_, kDraining, TimerKind::coarse);
  Code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
}

void TcpConnection::close(std::string reason) {
  if (state_ == State::flushing || state_ == State::draining || state_ == State::ended) return;
  reason_ = std::move(reason);
  if (state_ == State::connecting) return end(reason_);
  state_ = State::flushing;
  active_ = clock_.now();
  host_->watch(flow_, kHalfClosed, TimerKind::coarse);
  host_->queued(flow_.connection);
}

void TcpConnection::abort(std::string reason) { end(std::move(reason)); }

void TcpConnection::end(std::string reason) {
  if (state_ == State::ended) return;
  state_ = State::ended;
  Code ignored;
  socket_.close(ignored);
  if (host_) host_->ended(flow_, reason_.empty() ? std::move(reason) : std::move(reason_));
}

void TcpConnection::detach() {
  if (state_ == State::open || state_ == State::flushing || state_ == State::half_closed) {
    // The last words of a server that stops: as much as the kernel takes at once.
    if (sent_ < queue_.size())
      (void)::send(socket_.native_handle(), queue_.data() + sent_, queue_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  host_ = nullptr;
  state_ = State::ended;
  Code ignored;
  socket_.close(ignored);
}

Duration TcpConnection::check_age() {
  const auto left_since = [&](MonoTime since, Duration limit, const char* reason) {
    const Duration age = clock_.now() - since;
    if (age < limit) return limit - age;
    end(reason);
    return Duration(0);
  };
  const auto left = [&](Duration limit, const char* reason) { return left_since(active_, limit, reason); };
  switch (state_) {
    case State::connecting:
      return left(options_.tcp_connect_timeout, "no answer to the attempt to connect");
    case State::open:
      if (holds_ != 0) return options_.tcp_idle;
      if (!heard_) return left(std::min(options_.tcp_first, options_.tcp_idle), "nothing was said");
      if (framer_.pending() != 0) return left_since(began_, options_.tcp_message, "a message takes too long");
      return std::min(left(options_.tcp_idle, "idle"), Duration(options_.tcp_message));  // one may begin meanwhile
    case State::half_closed:
      return left(kHalfClosed, "closed by the far end");
    case State::flushing:
      return left(kHalfClosed, "the far end does not read");
    case State::draining:
      return left(kDraining, "closed");
    case State::ended:
      return Duration(0);
  }
  return Duration(0);
}

net::Address TcpConnection::local() const {
  Code error;
  const tcp::endpoint endpoint = socket_.local_endpoint(error);
  return error ? net::Address() : tcp_address(endpoint);
}

}  // namespace jackfield::sip::stack
