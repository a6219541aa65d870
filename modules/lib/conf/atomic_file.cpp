#include "conf/atomic_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jackfield::conf {
namespace {

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  explicit operator bool() const { return fd_ >= 0; }
  int fd() const { return fd_; }

 private:
  int fd_;
};

tl::unexpected<std::string> failure(std::string_view what, const std::filesystem::path& path) {
  const auto code = errno;
  std::string_view advice = "check the path and the permissions of its folder";
  if (code == ENOSPC || code == EDQUOT) advice = "make room on that disk";
  if (code == EROFS) advice = "that disk is mounted read-only";
  return tl::unexpected(fmt::format("cannot {} {}: {}; {}", what, path.string(), std::generic_category().message(code), advice));
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

tl::expected<std::string, std::string> read_file(const std::filesystem::path& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return failure("read", path);
  struct stat status {};
  std::string text;
  if (::fstat(file.fd(), &status) == 0 && status.st_size > 0) text.reserve(static_cast<std::size_t>(status.st_size));
  char block[64 * 1024];
  for (;;) {
    const auto got = ::read(file.fd(), block, sizeof(block));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure("read", path);
    if (got == 0) return text;
    text.append(block, static_cast<std::size_t>(got));
  }
}

tl::expected<void, std::string> replace_file(const std::filesystem::path& path, std::string_view text, unsigned new_mode) {
  std::error_code ignored;
  const auto target = std::filesystem::weakly_canonical(path, ignored);
  const auto& real = ignored ? path : target;
  struct stat old {};
  const bool existed = ::stat(real.c_str(), &old) == 0;

  auto temporary = real.string() + ".XXXXXX";
  const File file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file) return failure("make a file beside", real);
  const auto give_up = [&](std::string_view what) {
    auto error = failure(what, real);
    ::unlink(temporary.c_str());
    return error;
  };
  // The owner can only be kept by root; the mode matters more, because passwords may be in the file.
  if (existed && ::fchown(file.fd(), old.st_uid, old.st_gid) != 0 && errno != EPERM) return give_up("keep the owner of");
  if (::fchmod(file.fd(), existed ? old.st_mode & 07777 : new_mode) != 0) return give_up("set the permissions of");
  if (!write_all(file.fd(), text)) return give_up("write");
  if (::fsync(file.fd()) != 0) return give_up("write");
  if (::rename(temporary.c_str(), real.c_str()) != 0) return give_up("replace");
  const auto folder = real.has_parent_path() ? real.parent_path() : std::filesystem::path(".");
  if (const File directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); directory) ::fsync(directory.fd());
  return {};
}

}  // namespace jackfield::conf
