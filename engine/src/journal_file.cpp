#include "journal_file.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace jackfield::journal {
namespace {

constexpr std::size_t kRoom = 512 * 1024;
constexpr char kZeros[64 * 1024]{};

/// errno when it failed. `written` counts what went out before.
int write_all(int fd, std::string_view bytes, std::uint64_t offset, std::size_t& written) {
  written = 0;
  while (written < bytes.size()) {
    const ssize_t count = ::pwrite(fd, bytes.data() + written, bytes.size() - written, static_cast<off_t>(offset + written));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    if (count == 0) return ENOSPC;
    written += static_cast<std::size_t>(count);
  }
  return 0;
}

int read_all(int fd, std::string& bytes) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return errno;
  bytes.resize(static_cast<std::size_t>(info.st_size));
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count = ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    if (count == 0) bytes.resize(done);
    done += static_cast<std::size_t>(count);
  }
  return 0;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::string_view advice(int error) {
  switch (error) {
    case ENOSPC: case EDQUOT: return "; free some space";
    case EACCES: case EPERM: case EROFS: return "; the user that runs the server must be able to write there";
    case ENOENT: return "; make the folder first";
    default: return "";
  }
}

/// Another process may have replaced the file between our opening and locking it.
bool still_at(int fd, const std::filesystem::path& path) {
  struct stat ours {}, there {};
  return ::fstat(fd, &ours) == 0 && ::stat(path.c_str(), &there) == 0 && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

}  // namespace

File::~File() {
  if (fd_ < 0) return;
  // A file that was closed in order ends with its last record. When that cannot be, the zeros do no harm.
  if (room_ > end_ && broken_.empty() && ::ftruncate(fd_, static_cast<off_t>(end_)) != 0) room_ = end_;
  ::close(fd_);
}

ErrorText File::failed(std::string_view what, const std::filesystem::path& path, int error) const {
  return fmt::format("{}: cannot {}: {}{}", path.string(), what, std::generic_category().message(error), advice(error));
}

ErrorText File::open(const Journal::Replay& replay) {
  for (;;) {
    Descriptor file(::open(options_.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (file.get() < 0) return failed("open", options_.path, errno);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
      return errno == EWOULDBLOCK ? fmt::format("{}: another process uses this file; stop it first", options_.path.string())
                                  : failed("lock", options_.path, errno);
    if (!still_at(file.get(), options_.path)) continue;
    fd_ = file.release();
    return load(replay);
  }
}

ErrorText File::load(const Journal::Replay& replay) {
  std::string bytes;
  if (const int error = read_all(fd_, bytes)) return failed("read", options_.path, error);
  std::string fresh;
  append_header(fresh, {});
  const auto header = read_header(bytes);
  // Only the very first write to a new file can leave less than a header.
  if (!header && bytes.size() < kFileHeader && fresh.starts_with(std::string_view(bytes).substr(0, 8))) return begin();
  if (!header)
    return fmt::format("{}: this is not a journal, or its first bytes are damaged; move it away to start with an empty one", options_.path.string());
  const Scan scanned = scan(bytes, *header, options_.max_record, replay);
  if (scanned.damaged)
    return fmt::format("{}: damaged at byte {}, with sound records behind it; restore it, or move it away to start with an empty one",
                       options_.path.string(), scanned.end);
  base_ = header->base;
  end_ = scanned.end;
  room_ = bytes.size();
  // Zeros behind the last record are the room it had not used.
  if (const std::uint64_t used = bytes.find_last_not_of('\0') + 1; used > end_) {
    cut_tail_ = fmt::format("{}: cut off {} bytes of an unfinished write at byte {}", options_.path.string(), used - end_, end_);
    if (::ftruncate(fd_, static_cast<off_t>(end_)) != 0) return failed("cut", options_.path, errno);
    room_ = end_;
  }
  // What was replayed will be answered for: it must not vanish with the power now.
  return sync();
}

ErrorText File::begin() {
  if (::ftruncate(fd_, 0) != 0) return failed("cut", options_.path, errno);
  std::string header;
  append_header(header, {});
  std::size_t written = 0;
  if (const int error = write_all(fd_, header, 0, written)) return failed("write", options_.path, error);
  room_ = end_ = header.size();
  ErrorText error = sync();
  return error.empty() ? sync_folder() : error;
}

ErrorText File::write() {
  if (!broken_.empty()) return broken_;
  std::size_t written = 0;
  const int error = write_all(fd_, unwritten_, end_, written);
  end_ += written;
  unwritten_.erase(0, written);
  if (error != 0) return failed("write", options_.path, error);
  make_room();
  return {};
}

// A sync of bytes that took the place of zeros is several times cheaper than one after which the file system has to note a new
// length and new blocks too. So the file grows in steps, by zeros that the next sync makes durable along with the records.
void File::make_room() {
  if (end_ <= room_) return;
  room_ = end_;
  if (!options_.sync || !roomy_) return;
  for (const std::uint64_t wanted = end_ + kRoom; room_ < wanted && roomy_;) {
    std::size_t written = 0;
    roomy_ = write_all(fd_, {kZeros, sizeof kZeros}, room_, written) == 0;
    room_ += written;
  }
}

ErrorText File::sync() {
  if (!broken_.empty()) return broken_;
  if (!options_.sync || durable_ == end_) return {};
  if (::fdatasync(fd_) != 0) return broken_ = failed("sync", options_.path, errno);
  durable_ = end_;
  return {};
}

ErrorText File::sync_folder() const {
  if (!options_.sync) return {};
  const auto folder = options_.path.has_parent_path() ? options_.path.parent_path() : std::filesystem::path(".");
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() < 0 || ::fsync(opened.get()) != 0) return failed("sync the folder", folder, errno);
  return {};
}

ErrorText File::replace(const std::vector<std::string_view>& records, std::uint64_t position) {
  std::string bytes;
  std::uint64_t size = kFileHeader;
  for (const std::string_view record : records) size += kRecordHeader + record.size();
  bytes.reserve(size);
  append_header(bytes, {.base = position - size, .compacted = size});
  for (const std::string_view record : records) append_record(bytes, record, 0);

  std::filesystem::path path = options_.path;
  path += ".new";
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (file.get() < 0) return failed("open", path, errno);
  std::size_t written = 0;
  int error = ::flock(file.get(), LOCK_EX | LOCK_NB) != 0 ? errno : write_all(file.get(), bytes, 0, written);
  if (error == 0 && options_.sync && ::fdatasync(file.get()) != 0) error = errno;
  if (error == 0 && ::rename(path.c_str(), options_.path.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(path.c_str());
    return failed("write", path, error);
  }
  ::close(fd_);
  fd_ = file.release();
  base_ = position - size;
  room_ = end_ = size;
  roomy_ = true;
  unwritten_.clear();
  // Until the folder is synced a power cut may bring the old file back, without what is appended from now on.
  broken_ = sync_folder();
  durable_ = options_.sync ? end_ : 0;
  return broken_;
}

}  // namespace jackfield::journal
