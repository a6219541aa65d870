// A UDP socket on a loopback address that reads and writes many datagrams a call, so that the generator costs little beside the
// server it measures. One thread.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield::bench {

sockaddr_in ipv4(const std::string& host, int port);
std::uint64_t now_us();           ///< monotonic
std::uint64_t own_cpu_us();       ///< user and system time of this process

class Udp {
 public:
  /// Throws std::system_error when the address is not free.
  Udp(const std::string& host, int port, int batch = 64);
  ~Udp();
  Udp(const Udp&) = delete;
  Udp& operator=(const Udp&) = delete;

  /// Takes in what has arrived, without waiting; returns how many datagrams. They live until the next receive().
  int receive();
  /// The same, but waits for the first, at most a fifth of a second.
  int receive_waiting();
  std::string_view datagram(int index) const { return {&input_[static_cast<std::size_t>(index) * kSize], headers_[index].msg_len}; }
  const sockaddr_in& sender(int index) const { return senders_[index]; }

  /// A buffer for one datagram to `to`; it leaves with flush(), or earlier when many wait.
  std::string& next(const sockaddr_in& to);
  void flush();
  int descriptor() const { return socket_; }

 private:
  int receive(int flags);

  static constexpr std::size_t kSize = 4096, kWaiting = 256;
  int socket_;
  std::vector<char> input_;
  std::vector<mmsghdr> headers_;
  std::vector<iovec> pieces_;
  std::vector<sockaddr_in> senders_;
  std::vector<std::string> output_;
  std::vector<sockaddr_in> receivers_;
  std::size_t waiting_ = 0;
};

/// Waits until one of the sockets has something or the time is over.
void wait_readable(std::initializer_list<const Udp*> sockets, int milliseconds);

}  // namespace jackfield::bench
