#include "control/state_lock.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace jackfield {

namespace {

pid_t written_pid(int fd) {
  std::array<char, 32> text{};
  const auto size = pread(fd, text.data(), text.size() - 1, 0);
  pid_t pid = 0;
  if (size > 0) std::from_chars(text.data(), text.data() + size, pid);
  return pid;
}

/// Of the open file, not of the process; asking who has it takes nothing, so that no client stands in a server's way.
struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

tl::expected<StateLock, std::string> StateLock::take(const std::filesystem::path& state_dir) {
  std::error_code error;
  if (!std::filesystem::exists(state_dir, error)) {
    std::filesystem::create_directories(state_dir, error);
    if (!error) std::filesystem::permissions(state_dir, std::filesystem::perms::owner_all, error);
    if (error) return tl::unexpected(fmt::format("the state directory {} cannot be made: {}; -w names another", state_dir.string(), error.message()));
  }
  const auto path = state_dir / "lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return tl::unexpected(fmt::format("{} cannot be opened: {}; -w names another state directory", path.string(), std::strerror(errno)));
  StateLock lock(fd);
  auto whole = whole_file();
  if (fcntl(fd, F_OFD_SETLK, &whole) != 0)
    return tl::unexpected(fmt::format("a server (pid {}) already runs on {}: stop it with `jackfield stop`, or give this one another -w",
                                      written_pid(fd), state_dir.string()));
  const auto pid = fmt::format("{}\n", getpid());
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) < 0)
    return tl::unexpected(fmt::format("{} cannot be written: {}", path.string(), std::strerror(errno)));
  return lock;
}

std::optional<pid_t> StateLock::holder(const std::filesystem::path& state_dir) {
  const int fd = open((state_dir / "lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::optional<pid_t> pid;
  auto whole = whole_file();
  if (fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK) pid = written_pid(fd);
  close(fd);
  return pid;
}

StateLock::~StateLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace jackfield
