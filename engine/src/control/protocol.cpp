#include "control/protocol.h"

#include "control/state_lock.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace jackfield {

namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

/// From now on a call that waits for the other side fails with EAGAIN after that long.
void limit_waiting(int fd, Duration limit) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limit);
  const timeval time{.tv_sec = seconds.count(), .tv_usec = std::chrono::microseconds(limit - seconds).count()};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

/// Reads into `buffer` until it holds `size` bytes or a line end (`size` 0); false at the end of the stream, with errno 0, or when
/// it took too long.
bool fill(int fd, std::string& buffer, std::size_t size) {
  while (size == 0 ? buffer.find('\n') == std::string::npos : buffer.size() < size) {
    std::array<char, 4096> part;
    const auto got = recv(fd, part.data(), part.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) errno = 0;
    if (got <= 0) return false;
    buffer.append(part.data(), static_cast<std::size_t>(got));
  }
  return true;
}

tl::unexpected<std::string> nobody(const std::filesystem::path& state_dir, const char* why) {
  return tl::unexpected(fmt::format("no server answers on {} ({}); start one with `jackfield`, or name its folders with -c and -w", state_dir.string(), why));
}

/// It has the socket but says nothing: stopped in a debugger, on a dead disk, or busy for longer than anything should take.
tl::unexpected<std::string> silent(const std::filesystem::path& state_dir, std::string_view what, Duration limit) {
  const auto pid = StateLock::holder(state_dir);
  return tl::unexpected(fmt::format("the server on {}{} {} within {} s; its log may say why", state_dir.string(), pid ? fmt::format(" (pid {})", *pid) : "", what,
                                    std::chrono::duration<double>(limit).count()));
}

}  // namespace

std::string framed(const ControlAnswer& answer) {
  return fmt::format("{} {}\n{}", answer.ok ? "ok" : "failed", answer.text.size(), answer.text);
}

std::string framed_stream(std::string_view text) { return fmt::format("said {}\n{}", text.size(), text); }

tl::expected<ControlAnswer, std::string> ask_server(const std::filesystem::path& state_dir, std::string_view line, std::optional<Duration> end,
                                                    Duration limit) {
  // Through the directory's descriptor, because a socket's own path may have 107 bytes only.
  const Descriptor directory(open(state_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return nobody(state_dir, std::strerror(errno));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  fmt::format_to_n(address.sun_path, sizeof address.sun_path - 1, "/proc/self/fd/{}/control", directory.get());
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  limit_waiting(socket.get(), limit);
  const auto failed = [&](const char* at_end) {
    if (errno == EAGAIN) return silent(state_dir, "has not answered", limit);
    return nobody(state_dir, errno == 0 ? at_end : std::strerror(errno));
  };
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return failed("");
  std::string request(line);
  request += '\n';
  for (std::string_view rest = request; !rest.empty();) {
    const auto sent = send(socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR) return failed("");
    if (sent > 0) rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  std::string buffer;
  if (!fill(socket.get(), buffer, 0)) return failed("it closed the connection");
  const auto line_end = buffer.find('\n');
  ControlAnswer answer{.ok = buffer.starts_with("ok "), .text = {}};
  std::size_t size = 0;
  const auto number = buffer.find(' ') + 1;
  if (number == 0 || std::from_chars(buffer.data() + number, buffer.data() + line_end, size).ec != std::errc{})
    return nobody(state_dir, "what answered speaks another protocol");
  if (!fill(socket.get(), buffer, line_end + 1 + size)) return failed("it ended within its answer");
  answer.text = buffer.substr(line_end + 1, size);
  if (!end) return answer;
  // Nothing more comes but the end of the stream.
  limit_waiting(socket.get(), *end);
  while (fill(socket.get(), buffer, buffer.size() + 1)) {
  }
  if (errno == EAGAIN) return silent(state_dir, "has not ended", *end);
  return answer;
}

}  // namespace jackfield
