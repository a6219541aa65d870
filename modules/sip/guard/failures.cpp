#include "guard/failures.h"

#include <algorithm>

namespace jackfield::sip::guard {

Failures::Failures(const stack::HashKey& secret, std::size_t sources) : secret_(secret), entries_(std::max(sources / kWays, std::size_t{1}) * kWays) {}

unsigned Failures::add(SourceKey source, Seconds now, Seconds window) {
  Entry* const entries = line(source);
  Entry* mine = std::find_if(entries, entries + kWays, [&](const Entry& entry) { return entry.source == source; });
  if (mine == entries + kWays) {
    mine = std::min_element(entries, entries + kWays, [](const Entry& a, const Entry& b) { return a.last < b.last; });
    *mine = {.source = source, .first = static_cast<std::uint32_t>(now)};
  } else if (now - static_cast<Seconds>(mine->first) > window) {
    mine->first = static_cast<std::uint32_t>(now);
    mine->count = 0;
  }
  mine->last = static_cast<std::uint32_t>(now);
  return ++mine->count;
}

unsigned Failures::count(SourceKey source, Seconds now, Seconds window) const {
  const Entry* const entries = line(source);
  const Entry* mine = std::find_if(entries, entries + kWays, [&](const Entry& entry) { return entry.source == source; });
  return mine == entries + kWays || now - static_cast<Seconds>(mine->first) > window ? 0 : mine->count;
}

void Failures::forget(SourceKey source) {
  Entry* const entries = line(source);
  for (Entry* entry = entries; entry != entries + kWays; ++entry)
    if (entry->source == source) *entry = {};
}

}  // namespace jackfield::sip::guard
