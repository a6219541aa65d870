#include "main/descriptor_limit.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <cerrno>
#include <system_error>

namespace jackfield {

namespace {

/// Below it a few thousand phones on TCP find no place.
constexpr rlim_t kEnough = 8192;

}  // namespace

std::string raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  if (limit.rlim_cur < limit.rlim_max) {
    const auto before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
      const auto why = std::generic_category().message(errno);
      if (before < kEnough) return fmt::format("only {} descriptors, and raising them to {} failed: {}", before, limit.rlim_max, why);
      return {};
    }
  }
  if (limit.rlim_max >= kEnough) return {};
  return fmt::format("only {} descriptors: about as many connections fit; LimitNOFILE= in the systemd unit or ulimit -Hn before the start allow more",
                     limit.rlim_max);
}

}  // namespace jackfield
