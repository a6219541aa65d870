#include "lifecycle/version.h"

#include <fmt/format.h>

namespace jackfield {

const char* version() { return JACKFIELD_VERSION; }

// The program has another, which the build writes (cmake/WriteCommit.cmake).
[[gnu::weak]] const char* commit() { return "unknown"; }

std::string version_text() { return fmt::format("{} (commit {})", version(), commit()); }

}  // namespace jackfield
