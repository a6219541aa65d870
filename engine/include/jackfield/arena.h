// Bytes that live as long as their owner: chunks never move, nothing is freed singly. A moved arena keeps its views valid.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace jackfield {

class Arena {
 public:
  Arena() = default;
  Arena(Arena&&) noexcept = default;
  Arena& operator=(Arena&&) noexcept = default;
  ~Arena();

  /// A copy of `text` that stays where it is until the arena is destroyed.
  std::string_view copy(std::string_view text);

 private:
  static constexpr std::size_t kFirstChunk = 1024;
  char* allocate(std::size_t bytes);

  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace jackfield
