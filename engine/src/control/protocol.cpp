#include "control/protocol.h"

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

/// Reads into `buffer` until it holds `size` bytes or a line end (`size` 0); false at the end of the stream.
bool fill(int fd, std::string& buffer, std::size_t size) {
  while (size == 0 ? buffer.find('\n') == std::string::npos : buffer.size() < size) {
    std::array<char, 4096> part;
    const auto got = recv(fd, part.data(), part.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    buffer.append(part.data(), static_cast<std::size_t>(got));
  }
  return true;
}

tl::unexpected<std::string> nobody(const std::filesystem::path& state_dir, const char* why) {
  return tl::unexpected(fmt::format("no server answers on {} ({}); start one with `jackfield`, or name its folders with -c and -w", state_dir.string(), why));
}

}  // namespace

std::string framed(const ControlAnswer& answer) {
  return fmt::format("{} {}\n{}", answer.ok ? "ok" : "failed", answer.text.size(), answer.text);
}

tl::expected<ControlAnswer, std::string> ask_server(const std::filesystem::path& state_dir, std::string_view line, bool wait_for_end) {
  // Through the directory's descriptor, because a socket's own path may have 107 bytes only.
  const Descriptor directory(open(state_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return nobody(state_dir, std::strerror(errno));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  fmt::format_to_n(address.sun_path, sizeof address.sun_path - 1, "/proc/self/fd/{}/control", directory.get());
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return nobody(state_dir, std::strerror(errno));
  std::string request(line);
  request += '\n';
  for (std::string_view rest = request; !rest.empty();) {
    const auto sent = send(socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR) return nobody(state_dir, std::strerror(errno));
    if (sent > 0) rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  std::string buffer;
  if (!fill(socket.get(), buffer, 0)) return nobody(state_dir, "it closed the connection");
  const auto end = buffer.find('\n');
  ControlAnswer answer{.ok = buffer.starts_with("ok "), .text = {}};
  std::size_t size = 0;
  const auto number = buffer.find(' ') + 1;
  if (number == 0 || std::from_chars(buffer.data() + number, buffer.data() + end, size).ec != std::errc{}) return nobody(state_dir, "what answered speaks another protocol");
  if (!fill(socket.get(), buffer, end + 1 + size)) return nobody(state_dir, "it ended within its answer");
  answer.text = buffer.substr(end + 1, size);
  if (wait_for_end)
    while (fill(socket.get(), buffer, buffer.size() + 1)) {
    }
  return answer;
}

}  // namespace jackfield
