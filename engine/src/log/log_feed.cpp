#include "log/log_feed.h"

#include "log/levels.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace jackfield {

namespace {

constexpr std::size_t kMostKept = 300;
constexpr std::size_t kMostWaiting = 1000;
constexpr std::size_t kLongestKept = 1000;

void keep(std::deque<LogFeed::Line>& lines, const LogFeed::Line& line) {
  lines.push_back(line);
  if (lines.size() > kMostKept) lines.pop_front();
}

/// As the program's log looks; the moment is that of the line, not of the turn it is written in.
std::string shown(const Logger& logger, LogLevel level, std::string_view text) {
  const auto now = std::chrono::system_clock::now();
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03} {:<7} {}: {}", fmt::localtime(std::chrono::system_clock::to_time_t(now)), milliseconds, log_level_name(level),
                     logger.name(), text.substr(0, kLongestKept));
}

}  // namespace

LogFeed::LogFeed(LogSink& out, std::function<void(std::function<void()>)> post) : out_(out), post_(std::move(post)) {}

void LogFeed::write(const Logger& logger, LogLevel level, std::string_view text) {
  out_.write(logger, level, text);
  const Line line{level, logger.name(), shown(logger, level, text)};
  const std::lock_guard lock(mutex_);
  keep(lines_, line);
  if (level >= LogLevel::warning) keep(events_, line);
  if (!watched_.load(std::memory_order_relaxed)) return;
  if (waiting_.size() >= kMostWaiting) {
    ++left_out_;
    return;
  }
  waiting_.push_back(line);
  if (posted_) return;
  posted_ = true;
  post_([this] { deliver(); });
}

std::shared_ptr<void> LogFeed::watch(Watcher watcher) {
  auto token = std::make_shared<Watcher>(std::move(watcher));
  watchers_.push_back(token);
  watched_ = true;
  return token;
}

void LogFeed::deliver() {
  std::deque<Line> lines;
  std::size_t left_out = 0;
  {
    const std::lock_guard lock(mutex_);
    posted_ = false;
    lines.swap(waiting_);
    std::swap(left_out, left_out_);
  }
  if (left_out > 0) lines.push_back({LogLevel::warning, "engine", fmt::format("({} log lines were left out)", left_out)});
  std::erase_if(watchers_, [](const auto& watcher) { return watcher.expired(); });
  watched_ = !watchers_.empty();
  const auto told = watchers_;  // one that is told may end others, or begin one
  for (const auto& line : lines)
    for (const auto& weak : told)
      if (const auto watcher = weak.lock()) (*watcher)(line.level, line.text);
}

std::vector<LogFeed::Line> LogFeed::lines() const {
  const std::lock_guard lock(mutex_);
  return {lines_.begin(), lines_.end()};
}

std::vector<LogFeed::Line> LogFeed::events() const {
  const std::lock_guard lock(mutex_);
  return {events_.begin(), events_.end()};
}

std::size_t LogFeed::clear_events(std::string_view module) {
  const std::lock_guard lock(mutex_);
  return std::erase_if(events_, [&](const Line& line) { return module.empty() || line.module == module; });
}

}  // namespace jackfield
