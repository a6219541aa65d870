#include "guard/proven_flows.h"

#include <algorithm>

namespace jackfield::sip::guard {
namespace {

constexpr std::size_t kFirstSlots = 256;
constexpr ProvenFlows::Minutes kLongest = 10'000;  // 16 bits tell the future from the past for twice as long, and a rebuild

}  // namespace

void ProvenFlows::note(SourceKey flow, Minutes now, Minutes until) {
  const auto minute = static_cast<std::uint16_t>(std::clamp(until, now, now + kLongest));
  if (now - rebuilt_ > kLongest) rebuild(slots_.size(), now);  // what was over long ago would seem to be to come
  if (!slots_.empty()) {
    if (auto& held = slots_[find(flow)]; held != 0) {
      held = mark(flow) | minute;
      return;
    }
  }
  if ((used_ + 1) * 4 > slots_.size() * 3) make_room(now);
  if ((used_ + 1) * 4 > slots_.size() * 3) return;  // everything there may be is in use
  slots_[find(flow)] = mark(flow) | minute;
  ++used_;
}

/// Nothing was noted for so long that the minutes of what is there mean nothing any more.
bool ProvenFlows::all_over(Minutes now) const { return now - rebuilt_ > 2 * kLongest; }

bool ProvenFlows::has(SourceKey flow, Minutes now) const {
  if (slots_.empty() || all_over(now)) return false;
  const std::uint64_t slot = slots_[find(flow)];
  return slot != 0 && !is_over(slot, now);
}

void ProvenFlows::forget(SourceKey flow) {
  if (slots_.empty()) return;
  const std::size_t at = find(flow);
  if (slots_[at] == 0) return;
  // The chain behind it stays whole: what follows moves up.
  std::size_t hole = at;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = (hole + 1) & mask; slots_[i] != 0; i = (i + 1) & mask) {
    const std::size_t home = first(mark(slots_[i]));
    if (((i - home) & mask) < ((i - hole) & mask)) continue;
    slots_[hole] = slots_[i];
    hole = i;
  }
  slots_[hole] = 0;
  --used_;
}

std::size_t ProvenFlows::find(SourceKey flow) const {
  const std::uint64_t wanted = mark(flow);
  std::size_t at = first(wanted);
  while (slots_[at] != 0 && mark(slots_[at]) != wanted) at = (at + 1) & (slots_.size() - 1);
  return at;
}

// The table doubles where leaving out those that are over would not make room enough; at its limit that is tried once a minute.
void ProvenFlows::make_room(Minutes now) {
  const bool largest = slots_.size() * 2 > max_slots_;
  if (largest && !slots_.empty() && rebuilt_ == now) return;
  const auto living = static_cast<std::size_t>(std::count_if(slots_.begin(), slots_.end(), [&](std::uint64_t slot) { return slot != 0 && !is_over(slot, now); }));
  const bool crowded = living * 2 > slots_.size();
  rebuild(slots_.empty() ? kFirstSlots : crowded && !largest ? slots_.size() * 2 : slots_.size(), now);
}

void ProvenFlows::rebuild(std::size_t slots, Minutes now) {
  if (all_over(now)) slots_.clear();
  rebuilt_ = now;
  std::vector<std::uint64_t> old(slots, 0);
  old.swap(slots_);
  used_ = 0;
  for (const std::uint64_t slot : old) {
    if (slot == 0 || is_over(slot, now)) continue;
    slots_[find(slot)] = slot;
    ++used_;
  }
}

}  // namespace jackfield::sip::guard
