// How often each source has answered a challenge of ours wrongly of late: what the delay of the next answer and a ban follow from. A
// table of fixed size; a source that failed least recently makes room. Engine thread.
#pragma once

#include <cstdint>
#include <vector>

#include "guard/source.h"

namespace jackfield::sip::guard {

class Failures {
 public:
  using Seconds = std::int64_t;  ///< of a monotonic clock

  explicit Failures(const stack::HashKey& secret, std::size_t sources = 65536);

  /// Counts one more and answers how many there are since the first within `window`.
  unsigned add(SourceKey source, Seconds now, Seconds window);
  unsigned count(SourceKey source, Seconds now, Seconds window) const;
  void forget(SourceKey source);

 private:
  struct Entry {
    SourceKey source = 0;
    std::uint32_t first = 0, last = 0;
    std::uint32_t count = 0;
  };
  static constexpr std::size_t kWays = 4;
  Entry* line(SourceKey source) { return &entries_[(spread(source, secret_) % (entries_.size() / kWays)) * kWays]; }
  const Entry* line(SourceKey source) const { return const_cast<Failures*>(this)->line(source); }

  stack::HashKey secret_;
  std::vector<Entry> entries_;
};

}  // namespace jackfield::sip::guard
