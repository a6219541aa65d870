// What an account has done since it was made, as its status line and metrics show it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace jackfield::database {

struct Statistics {
  std::uint64_t total = 0;      ///< questions
  std::uint64_t failed = 0;     ///< of them answered away or late
  std::uint64_t errors = 0;     ///< of them refused by the database, or for a value
  std::uint64_t runs = 0;       ///< requests that a connection was given, repeated ones included
  std::uint64_t batches = 0;    ///< in so many batches
  std::uint64_t repeated = 0;   ///< runs after a group that failed, a deadlock or a broken connection
  std::uint64_t breaks = 0;     ///< connections lost
  std::uint64_t refused_connects = 0;
  std::chrono::nanoseconds busy{0};  ///< in which connections ran batches
  std::size_t waiting = 0;      ///< questions no worker has taken yet
  unsigned connections = 0;     ///< open ones
  unsigned wanted_connections = 0;

  /// The average time of a run, in milliseconds.
  double average_ms() const { return runs == 0 ? 0 : std::chrono::duration<double, std::milli>(busy).count() / static_cast<double>(runs); }
};

}  // namespace jackfield::database
