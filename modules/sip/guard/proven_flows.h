// Flows over which somebody has proved to be a user: what a ban of their host or a flood from it must not hurt. Eight bytes a flow, in a
// table that grows with them up to a limit; a flow that finds no room is merely not spared. Engine thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "guard/source.h"

namespace jackfield::sip::guard {

class ProvenFlows {
 public:
  using Minutes = std::int64_t;  ///< of a monotonic clock
  static constexpr std::size_t kMaxSlots = std::size_t{1} << 21;

  explicit ProvenFlows(std::size_t max_slots = kMaxSlots) : max_slots_(max_slots) {}

  /// `flow` is a flow_key(). It counts until `until`; a later note prolongs it.
  void note(SourceKey flow, Minutes now, Minutes until);
  bool has(SourceKey flow, Minutes now) const;
  void forget(SourceKey flow);
  std::size_t slots() const { return slots_.size(); }

 private:
  // 48 bits of the key and 16 of the minute it ends in, both enough to tell: three weeks, and one mistake in 2^28.
  static constexpr std::uint64_t kMinuteMask = 0xffff;
  static std::uint64_t mark(SourceKey flow) { return flow & ~kMinuteMask; }
  static bool is_over(std::uint64_t slot, Minutes now) { return static_cast<std::int16_t>(static_cast<std::uint16_t>(slot) - static_cast<std::uint16_t>(now)) < 0; }
  std::size_t first(std::uint64_t mark) const { return (mark >> 16) & (slots_.size() - 1); }
  std::size_t find(SourceKey flow) const;  // its slot, or the empty one it would take
  bool all_over(Minutes now) const;
  void make_room(Minutes now);
  void rebuild(std::size_t slots, Minutes now);

  std::size_t max_slots_;
  std::vector<std::uint64_t> slots_;  // 0: empty
  std::size_t used_ = 0;
  Minutes rebuilt_ = 0;
};

}  // namespace jackfield::sip::guard
