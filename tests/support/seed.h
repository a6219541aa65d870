// Randomness of a test: from JACKFIELD_TEST_SEED where it is set (scripts/test prints and sets it), else a new seed, which the test
// prints when it fails.
#pragma once

#include <cstdlib>
#include <random>

namespace jackfield::test {

inline unsigned seed() {
  const char* const set = std::getenv("JACKFIELD_TEST_SEED");
  return set != nullptr ? static_cast<unsigned>(std::strtoul(set, nullptr, 10)) : std::random_device{}();
}

}  // namespace jackfield::test
