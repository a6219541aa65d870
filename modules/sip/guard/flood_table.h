// A token bucket for each source in a table of fixed size: 16 bytes an entry, four in a cache line, and no page of it is touched before
// a source falls into it. When a line is full, the source that has sent least makes room; whoever floods stays. Engine thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "guard/source.h"

namespace jackfield::sip::guard {

class FloodTable {
 public:
  static constexpr std::size_t kSources = std::size_t{1} << 20;

  /// `sources` is rounded up to a power of two. Throws std::bad_alloc.
  explicit FloodTable(const stack::HashKey& secret, std::size_t sources = kSources);

  struct Limit {
    std::int64_t interval_us = 0;  ///< between two messages at the permitted rate
    std::int64_t burst_us = 0;     ///< how far ahead of that a source may be
    static Limit of(unsigned rate, unsigned burst) { return {1'000'000 / rate, 1'000'000ll / rate * burst}; }
  };
  /// Takes a token of that source at `now`; false when it has none.
  bool take(SourceKey source, std::int64_t now_us, const Limit& limit);
  std::size_t bytes() const { return lines_count_ * sizeof(Line); }

 private:
  /// The generic cell rate algorithm: `due` is when the bucket is full again.
  struct Entry {
    SourceKey source;
    std::int64_t due;
  };
  static constexpr std::size_t kWays = 4;
  struct alignas(64) Line {
    Entry entries[kWays];
  };
  struct Unmap {
    std::size_t bytes = 0;
    void operator()(Line* lines) const;
  };

  stack::HashKey secret_;
  std::size_t lines_count_;
  std::unique_ptr<Line[], Unmap> lines_;
};

}  // namespace jackfield::sip::guard
