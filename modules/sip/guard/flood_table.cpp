#include "guard/flood_table.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <new>

namespace jackfield::sip::guard {

void FloodTable::Unmap::operator()(Line* lines) const { ::munmap(lines, bytes); }

FloodTable::FloodTable(const stack::HashKey& secret, std::size_t sources)
    : secret_(secret), lines_count_(std::bit_ceil(std::max(sources, kWays)) / kWays), lines_(nullptr, Unmap{0}) {
  // Pages of zeros that cost nothing until they are written to.
  void* memory = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  lines_ = {static_cast<Line*>(memory), Unmap{bytes()}};
}

bool FloodTable::take(SourceKey source, std::int64_t now_us, const Limit& limit) {
  Line& line = lines_[spread(source, secret_) & (lines_count_ - 1)];
  Entry* idlest = &line.entries[0];
  for (Entry& entry : line.entries) {
    if (entry.source == source) {
      entry.due = std::max(entry.due, now_us);
      if (entry.due - now_us > limit.burst_us) return false;
      entry.due += limit.interval_us;
      return true;
    }
    if (entry.due < idlest->due) idlest = &entry;
  }
  *idlest = {source, now_us + limit.interval_us};
  return true;
}

}  // namespace jackfield::sip::guard
