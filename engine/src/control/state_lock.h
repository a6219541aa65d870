// One server a state directory: a lock file that holds its pid and its run. The kernel lets go of it however the process ends.
#pragma once

#include <sys/types.h>

#include <cstdint>
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

  /// What names a run that began at `seconds`: that number, or the next above every earlier run's on this directory, so that no two starts
  /// share their billids.
  tl::expected<std::int64_t, std::string> begin_run(std::int64_t seconds);

  StateLock(StateLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)), last_run_(other.last_run_) {}
  StateLock& operator=(StateLock&&) = delete;
  ~StateLock();

 private:
  explicit StateLock(int fd) : fd_(fd) {}
  bool write();
  int fd_;
  std::int64_t last_run_ = 0;
};

}  // namespace jackfield
