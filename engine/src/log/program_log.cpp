#include "log/program_log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <mutex>

namespace jackfield {

namespace {

constexpr const char* kPattern = "%Y-%m-%dT%H:%M:%S.%e %-7l %n: %v";

/// A pipe that polls writable takes this many bytes without waiting (POSIX PIPE_BUF, less time stamp and names).
constexpr std::size_t kMaxText = 3800;

class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  StderrSink() {
    struct stat info {};
    waits_ = fstat(STDERR_FILENO, &info) != 0 || !S_ISREG(info.st_mode);
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (dropped_ != 0) {
      const auto notice = fmt::format("({} log lines were dropped: nobody read them)\n", dropped_);
      if (put(notice.data(), notice.size())) dropped_ = 0;
    }
    if (dropped_ != 0 || !put(line.data(), line.size())) ++dropped_;
  }
  void flush_() override {}

 private:
  bool put(const char* data, std::size_t size) const {
    pollfd state{STDERR_FILENO, POLLOUT, 0};
    if (waits_ && (poll(&state, 1, 0) != 1 || !(state.revents & POLLOUT))) return false;
    return ::write(STDERR_FILENO, data, size) >= 0;
  }

  bool waits_ = true;
  std::size_t dropped_ = 0;
};

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::trace: return spdlog::level::trace;
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warning: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
    case LogLevel::off: break;
  }
  return spdlog::level::off;
}

std::shared_ptr<spdlog::sinks::sink> make_sink(const std::filesystem::path& file) {
  std::shared_ptr<spdlog::sinks::sink> sink;
  if (file.empty()) sink = std::make_shared<StderrSink>();
  else sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file.string());
  sink->set_formatter(std::make_unique<spdlog::pattern_formatter>(kPattern));
  return sink;
}

}  // namespace

struct ProgramLog::Impl {
  std::filesystem::path file;
  std::mutex mutex;
  std::shared_ptr<spdlog::sinks::sink> sink;
  std::atomic<std::size_t> lost{0};

  std::shared_ptr<spdlog::sinks::sink> current() {
    const std::lock_guard lock(mutex);
    return sink;
  }
};

ProgramLog::ProgramLog(std::filesystem::path file) : impl_(std::make_unique<Impl>()) {
  impl_->file = std::move(file);
  impl_->sink = make_sink(impl_->file);
}

ProgramLog::~ProgramLog() = default;

void ProgramLog::write(const Logger& logger, LogLevel level, std::string_view text) {
  const auto sink = impl_->current();
  const auto shown = text.substr(0, kMaxText);
  // A full disk loses lines of the log; it must not lose calls.
  try {
    sink->log({logger.name(), spdlog_level(level), {shown.data(), shown.size()}});
    sink->flush();
  } catch (const spdlog::spdlog_ex&) {
    impl_->lost.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  if (impl_->lost.load(std::memory_order_relaxed) == 0) return;
  const auto lost = impl_->lost.exchange(0);
  if (lost != 0) write(logger, LogLevel::error, fmt::format("event=log_lines_lost count={} reason=\"the log file could not be written\"", lost));
}

void ProgramLog::reopen() {
  if (impl_->file.empty()) return;
  try {
    auto fresh = make_sink(impl_->file);
    const std::lock_guard lock(impl_->mutex);
    impl_->sink = std::move(fresh);
  } catch (const spdlog::spdlog_ex& error) {
    Logger("engine", this).error("event=log_reopen_failed reason={}", log_value(error.what()));
  }
}

}  // namespace jackfield
