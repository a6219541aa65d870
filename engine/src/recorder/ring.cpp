#include "recorder/ring.h"

namespace jackfield::recorder {

void Ring::set_size(std::size_t bytes) {
  if (bytes == size_) return;
  memory_ = bytes != 0 ? std::make_unique_for_overwrite<char[]>(bytes) : nullptr;
  size_ = bytes;
  count_ = tail_ = head_ = end_ = 0;
  wrapped_ = false;
}

char* Ring::append(std::size_t bytes) {
  const std::size_t need = kPrefix + bytes;
  if (need > size_ / 4) return nullptr;
  for (;;) {
    if (!wrapped_) {
      if (head_ + need <= size_) break;
      end_ = head_;
      head_ = 0;
      wrapped_ = true;
    }
    if (head_ + need <= tail_) break;
    drop_oldest();
  }
  char* const place = memory_.get() + head_;
  const auto length = static_cast<Length>(bytes);
  std::memcpy(place, &length, kPrefix);
  head_ += need;
  ++count_;
  return place + kPrefix;
}

/// Only while wrapped.
void Ring::drop_oldest() {
  tail_ += kPrefix + length_at(tail_);
  --count_;
  if (tail_ != end_) return;
  tail_ = 0;
  wrapped_ = false;
}

}  // namespace jackfield::recorder
