#include "udp.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>

namespace jackfield::bench {

sockaddr_in ipv4(const std::string& host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  return address;
}

std::uint64_t now_us() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1000000 + time.tv_nsec / 1000;
}

std::uint64_t own_cpu_us() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

Udp::Udp(const std::string& host, int port, int batch)
    : socket_(::socket(AF_INET, SOCK_DGRAM, 0)), input_(batch * kSize), headers_(batch), pieces_(batch), senders_(batch), output_(kWaiting), receivers_(kWaiting) {
  const int size = 4 << 20;
  setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  setsockopt(socket_, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  const timeval patience{0, 200000};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const sockaddr_in address = ipv4(host, port);
  if (bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::system_error(errno, std::generic_category(), "bind " + host + ":" + std::to_string(port));
  for (int i = 0; i < batch; ++i) {
    pieces_[i] = {&input_[i * kSize], kSize};
    headers_[i].msg_hdr.msg_iov = &pieces_[i];
    headers_[i].msg_hdr.msg_iovlen = 1;
    headers_[i].msg_hdr.msg_name = &senders_[i];
  }
}

Udp::~Udp() { close(socket_); }

int Udp::receive() { return receive(MSG_DONTWAIT); }
int Udp::receive_waiting() { return receive(MSG_WAITFORONE); }

int Udp::receive(int flags) {
  for (auto& header : headers_) header.msg_hdr.msg_namelen = sizeof(sockaddr_in);
  return std::max(0, recvmmsg(socket_, headers_.data(), headers_.size(), flags, nullptr));
}

std::string& Udp::next(const sockaddr_in& to) {
  if (waiting_ == kWaiting) flush();
  receivers_[waiting_] = to;
  std::string& text = output_[waiting_++];
  text.clear();
  return text;
}

void Udp::flush() {
  constexpr std::size_t kAtOnce = 64;
  std::size_t sent = 0;
  while (sent < waiting_) {
    mmsghdr headers[kAtOnce] = {};
    iovec pieces[kAtOnce];
    const std::size_t count = std::min(kAtOnce, waiting_ - sent);
    for (std::size_t i = 0; i < count; ++i) {
      pieces[i] = {output_[sent + i].data(), output_[sent + i].size()};
      headers[i].msg_hdr.msg_iov = &pieces[i];
      headers[i].msg_hdr.msg_iovlen = 1;
      headers[i].msg_hdr.msg_name = &receivers_[sent + i];
      headers[i].msg_hdr.msg_namelen = sizeof(sockaddr_in);
    }
    const int done = sendmmsg(socket_, headers, count, 0);
    if (done > 0) sent += done;
    // A server that is not there yet shows as ECONNREFUSED on a later call; retransmission takes care of it.
    else if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR && errno != ECONNREFUSED)
      throw std::system_error(errno, std::generic_category(), "sendmmsg");
  }
  waiting_ = 0;
}

void wait_readable(std::initializer_list<const Udp*> sockets, int milliseconds) {
  std::vector<pollfd> descriptors;
  for (const Udp* socket : sockets) descriptors.push_back({socket->descriptor(), POLLIN, 0});
  poll(descriptors.data(), descriptors.size(), milliseconds);
}

}  // namespace jackfield::bench
