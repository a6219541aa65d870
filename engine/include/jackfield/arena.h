// Bytes that live as long as their owner: chunks never move, nothing is freed singly. A moved arena keeps its views valid.
// First chunks are pooled for the thread, so a message costs no trip to the allocator once the pool is warm.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

namespace jackfield {

class Arena {
 public:
  Arena() = default;
  Arena(Arena&& other) noexcept
      : chunks_(std::exchange(other.chunks_, nullptr)), next_(std::exchange(other.next_, nullptr)), left_(std::exchange(other.left_, 0)) {}
  Arena& operator=(Arena&& other) noexcept {
    std::swap(chunks_, other.chunks_);
    std::swap(next_, other.next_);
    std::swap(left_, other.left_);
    return *this;
  }
  ~Arena();

  /// A copy of `text` that stays where it is until the arena is destroyed.
  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    char* const place = allocate(text.size());
    std::memcpy(place, text.data(), text.size());
    return {place, text.size()};
  }
  /// Room for `bytes` bytes, aligned for bytes only.
  char* allocate(std::size_t bytes) {
    if (bytes > left_) return allocate_slowly(bytes);
    left_ -= bytes;
    return std::exchange(next_, next_ + bytes);
  }
  /// Room aligned for anything.
  void* allocate_aligned(std::size_t bytes);

 private:
  struct Chunk;
  char* allocate_slowly(std::size_t bytes);

  Chunk* chunks_ = nullptr;  // the newest first
  char* next_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace jackfield
