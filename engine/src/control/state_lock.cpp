#include "control/state_lock.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace jackfield {

namespace {

/// Two lines; what is not there is 0.
struct Written {
  pid_t pid = 0;
  std::int64_t run = 0;
};

Written written(int fd) {
  std::array<char, 64> text{};
  const auto size = pread(fd, text.data(), text.size(), 0);
  Written read;
  if (size <= 0) return read;
  const char* const end = text.data() + size;
  const auto after_pid = std::from_chars(text.data(), end, read.pid).ptr;
  if (after_pid < end) std::from_chars(after_pid + 1, end, read.run);
  return read;
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
                                      written(fd).pid, state_dir.string()));
  lock.last_run_ = written(fd).run;
  if (!lock.write()) return tl::unexpected(fmt::format("{} cannot be written: {}", path.string(), std::strerror(errno)));
  return lock;
}

bool StateLock::write() {
  const auto text = fmt::format("{}\n{}\n", getpid(), last_run_);
  return pwrite(fd_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) && ftruncate(fd_, static_cast<off_t>(text.size())) == 0;
}

tl::expected<std::int64_t, std::string> StateLock::begin_run(std::int64_t seconds) {
  last_run_ = std::max(seconds, last_run_ + 1);
  if (!write()) return tl::unexpected(fmt::format("the lock file of the state directory cannot be written: {}", std::strerror(errno)));
  return last_run_;
}

std::optional<pid_t> StateLock::holder(const std::filesystem::path& state_dir) {
  const int fd = open((state_dir / "lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::optional<pid_t> pid;
  auto whole = whole_file();
  if (fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK) pid = written(fd).pid;
  close(fd);
  return pid;
}

StateLock::~StateLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace jackfield
