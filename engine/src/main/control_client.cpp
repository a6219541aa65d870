#include "main/control_client.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace jackfield {

namespace {

constexpr std::string_view kGone = "the server has gone";

}  // namespace

tl::expected<ControlClient, std::string> ControlClient::connect(const std::filesystem::path& state_dir, Said said) {
  // Through the directory's descriptor: a socket's own path may have 107 bytes only.
  const int directory = open(state_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  fmt::format_to_n(address.sun_path, sizeof address.sun_path - 1, "/proc/self/fd/{}/control", directory);
  const int fd = directory < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const int error = errno;
  if (directory >= 0) close(directory);
  if (connected) return ControlClient(fd, std::move(said));
  if (fd >= 0) close(fd);
  return tl::unexpected(
      fmt::format("no server answers on {} ({}); start one with `jackfield`, or name its folders with -c and -w", state_dir.string(), std::strerror(error)));
}

ControlClient::ControlClient(ControlClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)), said_(std::move(other.said_)), in_(std::move(other.in_)) {}

ControlClient::~ControlClient() {
  if (fd_ >= 0) close(fd_);
}

tl::expected<ControlAnswer, std::string> ControlClient::ask(std::string_view line) {
  const std::string request = std::string(line) + "\n";
  for (std::string_view rest = request; !rest.empty();) {
    const auto sent = send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR) return tl::unexpected(std::string(kGone));
    if (sent > 0) rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  for (;;) {
    while (auto frame = take()) {
      if (frame->word != "said") return ControlAnswer{frame->word == "ok", std::move(frame->text)};
      said_(frame->text);
    }
    if (!receive(0)) return tl::unexpected(std::string(kGone));
  }
}

tl::expected<void, std::string> ControlClient::introduce(int width, int height) {
  const auto answer = ask(fmt::format("{}{} {}", kConsoleRequest, width, height));
  if (!answer) return tl::unexpected(answer.error());
  return {};
}

std::vector<std::string> ControlClient::complete(std::string_view partline, std::string_view partword) {
  const auto answer = ask(fmt::format("{}{}\t{}", kCompleteRequest, partline, partword));
  std::vector<std::string> words;
  for (std::string_view left = answer ? std::string_view(answer->text) : std::string_view(); !left.empty();) {
    const auto tab = std::min(left.find('\t'), left.size());
    words.emplace_back(left.substr(0, tab));
    left.remove_prefix(std::min(tab + 1, left.size()));
  }
  return words;
}

bool ControlClient::tell() {
  if (!receive(MSG_DONTWAIT)) return false;
  while (const auto frame = take()) said_(frame->text);
  return true;
}

bool ControlClient::receive(int flags) {
  std::array<char, 16384> part;
  for (;;) {
    const auto got = recv(fd_, part.data(), part.size(), flags);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return true;
    gone_ = got <= 0;
    if (gone_) return false;
    in_.append(part.data(), static_cast<std::size_t>(got));
    return true;
  }
}

std::optional<ControlClient::Frame> ControlClient::take() {
  const auto end = in_.find('\n');
  const auto blank = in_.find(' ');
  if (end == std::string::npos || blank > end) return std::nullopt;
  std::size_t size = 0;
  std::from_chars(in_.data() + blank + 1, in_.data() + end, size);
  if (in_.size() - end - 1 < size) return std::nullopt;
  Frame frame{in_.substr(0, blank), in_.substr(end + 1, size)};
  in_.erase(0, end + 1 + size);
  return frame;
}

}  // namespace jackfield
