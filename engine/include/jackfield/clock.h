// Time and randomness, injected everywhere so that tests advance the one and seed the other.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>

namespace jackfield {

using Duration = std::chrono::milliseconds;
/// Monotonic; what timers, deadlines and expiries inside the process are counted in.
using MonoTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::milliseconds>;
/// The wall clock; what files, records and scripts are told. Microseconds, because call records may show them.
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  /// Both are read once a turn of the loop and are constant within it.
  virtual MonoTime now() const = 0;
  virtual WallTime wall() const = 0;
};

class Random {
 public:
  virtual ~Random() = default;
  /// Cryptographically strong in the server, seeded in tests.
  virtual void fill(std::span<std::uint8_t> bytes) = 0;
  std::uint64_t next();
};

}  // namespace jackfield
