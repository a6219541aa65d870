// One server a state directory: a lock file that holds its pid. The kernel lets go of it however the process ends.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace jackfield {

class StateLock {
 public:
  /// Makes the directory (mode 0700) when there is none. The error names the pid of the server that has it.
  static tl::expected<StateLock, std::string> take(const std::filesystem::path& state_dir);
  /// The pid of the server that runs on this directory.
  static std::optional<pid_t> holder(const std::filesystem::path& state_dir);

  StateLock(StateLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  StateLock& operator=(StateLock&&) = delete;
  ~StateLock();

 private:
  explicit StateLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace jackfield
