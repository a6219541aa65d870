#include "stack/udp_socket.h"

#include <linux/errqueue.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace jackfield::sip::stack {
namespace {

constexpr unsigned kBatch = 64;              // datagrams for one system call
constexpr unsigned kRounds = 8;              // system calls before others have their turn
constexpr std::size_t kUsualSize = 33 * 64;  // most messages are no longer; an odd number of cache lines, so that all do not meet in one
constexpr std::size_t kQueuedBytes = 8u << 20;
constexpr int kKernelBuffer = 4 << 20;

void set_option(int fd, int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof value); }

// The forced size needs a capability; without it the system's limit applies.
void grow_buffers(int fd) {
  set_option(fd, SOL_SOCKET, SO_RCVBUF, kKernelBuffer);
  set_option(fd, SOL_SOCKET, SO_SNDBUF, kKernelBuffer);
  set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, kKernelBuffer);
  set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, kKernelBuffer);
}

// Keep-alives of phones: CRLF, NULs, blanks, nothing.
bool is_filler(char c) { return c == '\r' || c == '\n' || c == '\0' || c == ' '; }

/// Whether so little waits in the kernel that nobody is kept waiting: a socket that is never empty while many wait for answers is
/// busy, and behind only when its buffer fills.
bool has_little_left(int fd) {
  std::uint32_t use[SK_MEMINFO_VARS] = {};
  socklen_t size = sizeof use;
  if (::getsockopt(fd, SOL_SOCKET, SO_MEMINFO, use, &size) != 0) return false;
  return use[SK_MEMINFO_RMEM_ALLOC] < use[SK_MEMINFO_RCVBUF] / 4;
}

/// RFC 3261 §18.4: unreachable host, network, port or protocol. A passing condition (TTL, size) is not the end of a flow.
bool ends_flow(int error) {
  switch (error) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EACCES:
    case EPERM:
    case EADDRNOTAVAIL:
    case EINVAL:
      return true;
    default:
      return false;
  }
}

}  // namespace

// What is usual of each datagram lies close together, so that a batch stays in the processor's cache; the rest of a long one has
// its place elsewhere and is brought together when it is asked for.
class ReceiveBatch {
 public:
  explicit ReceiveBatch(std::size_t max_message)
      : rest_(max_message > kUsualSize ? max_message - kUsualSize : 0),
        usual_(std::make_unique_for_overwrite<char[]>(kBatch * kUsualSize)),
        rests_(std::make_unique_for_overwrite<char[]>(kBatch * rest_)) {
    for (unsigned i = 0; i < kBatch; ++i) {
      pieces_[i][0] = {usual_.get() + i * kUsualSize, std::min(max_message, kUsualSize)};
      pieces_[i][1] = {rests_.get() + i * rest_, rest_};
      headers_[i].msg_hdr = {};
      headers_[i].msg_hdr.msg_name = &sources_[i];
      headers_[i].msg_hdr.msg_namelen = sizeof(sockaddr_storage);
      headers_[i].msg_hdr.msg_iov = pieces_[i].data();
      headers_[i].msg_hdr.msg_iovlen = 2;
    }
  }

  int receive(int fd) {
    for (; used_ > 0; --used_) headers_[used_ - 1].msg_hdr.msg_namelen = sizeof(sockaddr_storage);
    const int count = ::recvmmsg(fd, headers_.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (count > 0) used_ = static_cast<unsigned>(count);
    return count;
  }
  /// Valid until the next call.
  std::string_view bytes(unsigned i) {
    const std::size_t size = headers_[i].msg_len;
    if (size <= kUsualSize) return {static_cast<const char*>(pieces_[i][0].iov_base), size};
    long_.assign(static_cast<const char*>(pieces_[i][0].iov_base), kUsualSize);
    return long_.append(static_cast<const char*>(pieces_[i][1].iov_base), size - kUsualSize);
  }
  bool truncated(unsigned i) const { return (headers_[i].msg_hdr.msg_flags & MSG_TRUNC) != 0; }
  net::Address source(unsigned i) const { return net::Address::from(reinterpret_cast<const sockaddr&>(sources_[i])); }

 private:
  const std::size_t rest_;
  std::unique_ptr<char[]> usual_, rests_;
  std::string long_;
  unsigned used_ = 0;  // headers that the kernel has written to
  std::array<std::array<iovec, 2>, kBatch> pieces_;
  std::array<sockaddr_storage, kBatch> sources_;
  std::array<mmsghdr, kBatch> headers_;
};

void ReceiveBatchDeleter::operator()(ReceiveBatch* batch) const { delete batch; }

std::unique_ptr<ReceiveBatch, ReceiveBatchDeleter> make_receive_batch(std::size_t max_message) {
  return std::unique_ptr<ReceiveBatch, ReceiveBatchDeleter>(new ReceiveBatch(max_message));
}

UdpSocket::UdpSocket(boost::asio::io_context& io, SocketHost& host, ReceiveBatch& batch, std::uint16_t listener)
    : descriptor_(io), host_(host), batch_(batch), listener_(listener) {}

tl::expected<net::Address, std::string> UdpSocket::open(const net::Address& bind) {
  const int fd = ::socket(bind.is_v6() ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return tl::unexpected(std::string(std::strerror(errno)));
  descriptor_.assign(fd);
  if (bind.is_v6()) {
    set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    set_option(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
  } else {
    set_option(fd, IPPROTO_IP, IP_RECVERR, 1);
    set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);  // large messages may be fragmented on their way (D17)
  }
  grow_buffers(fd);
  sockaddr_storage name;
  socklen_t size = bind.to(name);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&name), size) != 0) {
    std::string reason = std::strerror(errno);
    descriptor_.close();
    return tl::unexpected(std::move(reason));
  }
  size = sizeof name;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size);
  wait_readable();
  return net::Address::from(reinterpret_cast<const sockaddr&>(name));
}

void UdpSocket::close() {
  if (!descriptor_.is_open()) return;
  flush();
  boost::system::error_code ignored;
  descriptor_.close(ignored);
}

void UdpSocket::wait_readable() {
  descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [self = shared_from_this()](const boost::system::error_code& error) {
                           if (!error && self->descriptor_.is_open()) self->read();
                         });
}

void UdpSocket::read() {
  const TurnScope scope(host_);
  bool emptied = false;
  for (unsigned round = 0; round < kRounds && descriptor_.is_open(); ++round) {
    const int count = batch_.receive(descriptor_.native_handle());
    if (count < 0) {
      if (errno == EINTR) continue;
      const bool empty = errno == EAGAIN;
      emptied = empty;
      if (empty && round > 0) break;  // all is read
      // Readiness without a datagram is an error that waits; so is any other failure of the call.
      if (drain_errors() == 0 && empty) break;
      continue;
    }
    for (int i = 0; i < count && descriptor_.is_open(); ++i)
      deliver(batch_.source(static_cast<unsigned>(i)), batch_.bytes(static_cast<unsigned>(i)), batch_.truncated(static_cast<unsigned>(i)));
    if (emptied = count < static_cast<int>(kBatch); emptied) break;
  }
  host_.events().read(listener_, emptied || (descriptor_.is_open() && has_little_left(descriptor_.native_handle())));
  if (descriptor_.is_open()) wait_readable();
}

void UdpSocket::deliver(const net::Address& remote, std::string_view bytes, bool truncated) {
  while (!bytes.empty() && is_filler(bytes.front())) bytes.remove_prefix(1);
  if (bytes.empty() || remote.port() == 0) return;  // an answer to port 0 cannot be sent
  const FlowId flow{remote, 0, listener_, TransportKind::udp};
  if (truncated) host_.events().unframed(flow, bytes, 513, "Message Too Large");
  else host_.events().message(flow, bytes);
}

bool UdpSocket::send(const net::Address& remote, std::string_view bytes) {
  if (!descriptor_.is_open() || bytes_.size() + bytes.size() > kQueuedBytes) return false;
  queue_.push_back({remote, bytes_.size(), bytes.size()});
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  if (queue_.size() >= kBatch && !waiting_writable_) flush();
  else host_.queued();
  return true;
}

void UdpSocket::flush() {
  if (waiting_writable_ || !descriptor_.is_open()) return;
  std::array<mmsghdr, kBatch> headers;
  std::array<iovec, kBatch> pieces;
  std::array<sockaddr_storage, kBatch> names;
  std::size_t sent = 0;
  bool own_error = false;
  while (sent < queue_.size()) {
    const auto count = static_cast<unsigned>(std::min(queue_.size() - sent, headers.size()));
    for (unsigned i = 0; i < count; ++i) {
      const Queued& queued = queue_[sent + i];
      pieces[i] = {bytes_.data() + queued.begin, queued.size};
      headers[i].msg_hdr = {};
      headers[i].msg_hdr.msg_namelen = queued.remote.to(names[i]);
      headers[i].msg_hdr.msg_name = &names[i];
      headers[i].msg_hdr.msg_iov = &pieces[i];
      headers[i].msg_hdr.msg_iovlen = 1;
    }
    const int done = ::sendmmsg(descriptor_.native_handle(), headers.data(), count, MSG_DONTWAIT);
    if (done > 0) {
      sent += static_cast<std::size_t>(done);
      own_error = false;
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    if (error == EAGAIN || error == ENOBUFS) {
      wait_writable();
      break;
    }
    // The call also fails for an ICMP error about a datagram sent before. That error taken away, it is tried again; what then still
    // fails is this datagram's own fault.
    if (drain_errors() != 0 || !own_error) {
      own_error = true;
      continue;
    }
    if (error != EMSGSIZE) refuse(queue_[sent].remote, error);  // too large for UDP: lost, which its transaction finds out
    ++sent;
    own_error = false;
  }
  if (sent == queue_.size()) {
    queue_.clear();
    bytes_.clear();
    return;
  }
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(sent));
  const std::size_t gone = queue_.front().begin;
  bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(gone));
  for (Queued& queued : queue_) queued.begin -= gone;
}

void UdpSocket::wait_writable() {
  waiting_writable_ = true;
  descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                         [self = shared_from_this()](const boost::system::error_code& error) {
                           self->waiting_writable_ = false;
                           if (!error && self->descriptor_.is_open()) self->flush();
                         });
}

// Takes what ICMP reported off the socket's error queue; answers how many there were.
unsigned UdpSocket::drain_errors() {
  unsigned found = 0;
  for (unsigned i = 0; i < 64; ++i) {
    sockaddr_storage name{};
    alignas(cmsghdr) char control[512];
    char quoted[64];
    iovec piece{quoted, sizeof quoted};
    msghdr header{};
    header.msg_name = &name;
    header.msg_namelen = sizeof name;
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    if (::recvmsg(descriptor_.native_handle(), &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) break;
    for (cmsghdr* part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
      const bool v4 = part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR;
      const bool v6 = part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR;
      if (!v4 && !v6) continue;
      sock_extended_err error;
      std::memcpy(&error, CMSG_DATA(part), sizeof error);
      if (error.ee_origin != SO_EE_ORIGIN_ICMP && error.ee_origin != SO_EE_ORIGIN_ICMP6) continue;
      ++found;
      if (ends_flow(static_cast<int>(error.ee_errno)))
        refuse(net::Address::from(reinterpret_cast<const sockaddr&>(name)), static_cast<int>(error.ee_errno));
    }
  }
  return found;
}

void UdpSocket::refuse(const net::Address& remote, int error) {
  if (!remote.empty()) host_.ended({remote, 0, listener_, TransportKind::udp}, std::strerror(error));
}

}  // namespace jackfield::sip::stack
