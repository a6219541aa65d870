// By itself: the kernel's tcp_info, which counts bytes, and the C library's, which does not, exclude each other.
#include "bytes_read.h"

#include <linux/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace jackfield::pgsqldb {

std::optional<std::uint64_t> bytes_read(int socket) {
  constexpr int kTcp = 6;  // IPPROTO_TCP, whose header is the C library's
  tcp_info info{};
  socklen_t size = sizeof info;
  int unread = 0;
  if (::getsockopt(socket, kTcp, TCP_INFO, &info, &size) != 0 || ::ioctl(socket, FIONREAD, &unread) != 0) return std::nullopt;
  return info.tcpi_bytes_received - static_cast<std::uint64_t>(unread);
}

}  // namespace jackfield::pgsqldb
