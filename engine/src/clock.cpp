#include "clock.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace jackfield {

std::uint64_t Random::next() {
  std::array<std::uint8_t, sizeof(std::uint64_t)> bytes;
  fill(bytes);
  return std::bit_cast<std::uint64_t>(bytes);
}

MonoTime SystemClock::now() const {
  if (!mono_) mono_ = std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
  return *mono_;
}

WallTime SystemClock::wall() const {
  if (!wall_) wall_ = std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  return *wall_;
}

void SystemRandom::fill(std::span<std::uint8_t> bytes) {
  while (!bytes.empty()) {
    if (left_ == 0) {
      // Up to 256 bytes come whole and are never interrupted once the kernel's pool is ready (getrandom(2)).
      while (::getrandom(block_.data(), block_.size(), 0) != static_cast<ssize_t>(block_.size()))
        if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "getrandom");
      left_ = block_.size();
    }
    const std::size_t count = std::min(left_, bytes.size());
    std::uint8_t* const source = block_.data() + block_.size() - left_;
    std::memcpy(bytes.data(), source, count);
    explicit_bzero(source, count);
    left_ -= count;
    bytes = bytes.subspan(count);
  }
}

}  // namespace jackfield
