// What a fuzz target holds true of every input: a violation ends the process like a memory error does.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace jackfield::fuzz {

inline void expect(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "expected: %s\n", what);
  std::abort();
}

/// Views are compared by place: a value of a text lies in that text.
inline bool lies_in(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

inline std::string_view text_of(const unsigned char* data, std::size_t size) { return {reinterpret_cast<const char*>(data), size}; }

}  // namespace jackfield::fuzz
