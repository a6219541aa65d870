// Records of any length in memory of a fixed size, one behind the other; a new one takes the place of the oldest. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace jackfield::recorder {

class Ring {
 public:
  /// Forgets everything, unless the size is the same. The system gives the memory as it is written for the first time.
  void set_size(std::size_t bytes);
  std::size_t size() const { return size_; }
  std::size_t count() const { return count_; }

  /// Room for a record, to be filled at once; null for one longer than a quarter of the ring.
  char* append(std::size_t bytes);
  void append(std::string_view record) {
    if (char* const place = append(record.size())) std::memcpy(place, record.data(), record.size());
  }

  /// From the oldest to the newest; the views are valid until the next append().
  template <class Visit>
  void each(const Visit& visit) const {
    std::size_t at = tail_;
    for (std::size_t left = count_; left != 0; --left) {
      if (wrapped_ && at == end_) at = 0;
      const std::size_t length = length_at(at);
      visit(std::string_view(memory_.get() + at + kPrefix, length));
      at += kPrefix + length;
    }
  }

 private:
  using Length = std::uint32_t;
  static constexpr std::size_t kPrefix = sizeof(Length);
  std::size_t length_at(std::size_t at) const {
    Length length;
    std::memcpy(&length, memory_.get() + at, kPrefix);
    return length;
  }
  void drop_oldest();

  std::unique_ptr<char[]> memory_;
  std::size_t size_ = 0;
  std::size_t count_ = 0;
  std::size_t tail_ = 0;  // the oldest
  std::size_t head_ = 0;  // behind the newest
  std::size_t end_ = 0;   // while wrapped: behind the last before the beginning
  bool wrapped_ = false;
};

}  // namespace jackfield::recorder
