#include "line_writer.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace jackfield::cdrfile {
namespace {

std::string failure(std::string_view what, const std::filesystem::path& path, int code) {
  std::string_view advice = "check the path and the permissions of its folder";
  if (code == ENOSPC || code == EDQUOT) advice = "make room on that disk; records wait until then";
  if (code == EROFS) advice = "that disk is mounted read-only";
  return fmt::format("cannot {} {}: {}; {}", what, path.string(), std::generic_category().message(code), advice);
}

}  // namespace

tl::expected<std::shared_ptr<AppendFile>, std::string> AppendFile::open(const std::filesystem::path& path, unsigned mode) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, mode);
  if (fd < 0) return tl::unexpected(failure("open", path, errno));
  return std::shared_ptr<AppendFile>(new AppendFile(fd, path));
}

AppendFile::~AppendFile() { ::close(fd_); }

tl::expected<void, std::string> AppendFile::write(std::string_view& line) {
  while (!line.empty()) {
    const auto written = ::write(fd_, line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return tl::unexpected(failure("write to", path_, errno));
    line.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

LineWriter::LineWriter(Logger& log, std::shared_ptr<AppendFile> file, Milliseconds retry)
    : log_(log), retry_(retry), file_(std::move(file)), thread_([this] { run(); }) {}

LineWriter::~LineWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void LineWriter::append(std::string line) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= kMaxWaiting) {
      if (refused_++ == 0) log_.error("event=records_lost reason=\"{} records wait to be written\" file={}", kMaxWaiting, log_value(file_->path().string()));
      return;
    }
    waiting_.push_back({file_, std::move(line)});
  }
  wake_.notify_one();
}

void LineWriter::reopen(std::shared_ptr<AppendFile> file) { file_ = std::move(file); }

bool LineWriter::flush(Milliseconds limit) {
  std::unique_lock lock(mutex_);
  return written_.wait_for(lock, limit, [this] { return waiting_.empty(); });
}

std::size_t LineWriter::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

void LineWriter::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    // References into a deque stay good while others are added behind.
    auto& item = waiting_.front();
    std::string_view rest = item.line;
    for (;;) {
      lock.unlock();
      const auto result = item.file->write(rest);
      lock.lock();
      if (result) break;
      report(result.error());
      if (stopping_) {
        log_.error("event=records_lost count={} file={}", waiting_.size(), log_value(item.file->path().string()));
        waiting_.clear();
        written_.notify_all();
        return;
      }
      wake_.wait_for(lock, retry_, [this] { return stopping_; });
    }
    if (failing_) log_.info("event=writing_again file={} waiting={} lost={}", log_value(item.file->path().string()), waiting_.size(), refused_);
    failing_ = false;
    refused_ = 0;
    waiting_.pop_front();
    if (waiting_.empty()) written_.notify_all();
  }
}

void LineWriter::report(const std::string& error) {
  if (!failing_) log_.error("event=not_written reason={}", log_value(error));
  failing_ = true;
}

}  // namespace jackfield::cdrfile
