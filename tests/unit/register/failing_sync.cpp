#include "unit/register/failing_sync.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <mutex>
#include <utility>

namespace jackfield::register_test {
namespace {

struct Refusals {
  std::mutex mutex;
  std::string prefix;
  int count = 0;
};

Refusals& refusals() {
  static Refusals all;
  return all;
}

bool refuses(int fd) {
  auto& all = refusals();
  const std::lock_guard lock(all.mutex);
  if (all.prefix.empty()) return false;
  std::error_code error;
  const auto file = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), error);
  const bool named = file.filename().string().starts_with(all.prefix);
  all.count += named ? 1 : 0;
  return named;
}

}  // namespace

FailingSync::FailingSync(std::string prefix) {
  const std::lock_guard lock(refusals().mutex);
  refusals().prefix = std::move(prefix);
  refusals().count = 0;
}

FailingSync::~FailingSync() {
  const std::lock_guard lock(refusals().mutex);
  refusals().prefix.clear();
}

int FailingSync::refused() const {
  const std::lock_guard lock(refusals().mutex);
  return refusals().count;
}

}  // namespace jackfield::register_test

// In the place of the C library's, for this program.
extern "C" int fdatasync(int fd) {
  if (jackfield::register_test::refuses(fd)) return errno = EIO, -1;
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}
