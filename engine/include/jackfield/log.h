// Structured logging: one line per event, `key=value`, never a secret. A logger belongs to a module; its level changes at run time.
// May be called from any thread. Formatting costs nothing when the level is off.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace jackfield {

/// Yate's debug levels collapsed to the ones a person chooses between.
enum class LogLevel : std::uint8_t { trace, debug, info, warning, error, off };

class Logger;

/// Where lines go: the program's log, or a test's list of captured ones.
class LogSink {
 public:
  virtual ~LogSink() = default;
  /// `text` is one line without control characters. From any thread.
  virtual void write(const Logger& logger, LogLevel level, std::string_view text) = 0;
};

class Logger {
 public:
  /// `sink` outlives the logger; without one, lines are dropped.
  explicit Logger(std::string name, LogSink* sink = nullptr) : name_(std::move(name)), sink_(sink) {}
  Logger(const Logger&) = delete;

  const std::string& name() const { return name_; }
  bool enabled(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }
  LogLevel level() const { return level_.load(std::memory_order_relaxed); }
  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }

  template <class... Args>
  void trace(fmt::format_string<Args...> format, Args&&... args) { log(LogLevel::trace, format, std::forward<Args>(args)...); }
  template <class... Args>
  void debug(fmt::format_string<Args...> format, Args&&... args) { log(LogLevel::debug, format, std::forward<Args>(args)...); }
  template <class... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) { log(LogLevel::info, format, std::forward<Args>(args)...); }
  template <class... Args>
  void warning(fmt::format_string<Args...> format, Args&&... args) { log(LogLevel::warning, format, std::forward<Args>(args)...); }
  template <class... Args>
  void error(fmt::format_string<Args...> format, Args&&... args) { log(LogLevel::error, format, std::forward<Args>(args)...); }

 private:
  template <class... Args>
  void log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(level)) write(level, fmt::format(format, std::forward<Args>(args)...));
  }
  /// Control characters in `text` are escaped: a line stays a line whatever the network sent.
  void write(LogLevel level, std::string_view text);

  std::string name_;
  LogSink* sink_;
  std::atomic<LogLevel> level_{LogLevel::info};
};

/// `value` as the right side of `key=value`: quoted and escaped when it has blanks, quotes or control characters.
std::string log_value(std::string_view value);

}  // namespace jackfield
