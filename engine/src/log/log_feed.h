// What the program's log goes through on its way out: keeps the last lines for those who ask later, and tells those who watch. Lines
// come from any thread; watchers and the getters belong to the engine thread.
#pragma once

#include <jackfield/log.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield {

class LogFeed final : public LogSink {
 public:
  struct Line {
    LogLevel level;
    std::string module;
    std::string text;  ///< as watch() tells it
  };
  using Watcher = std::function<void(LogLevel level, std::string_view line)>;

  /// `out` outlives it; `post` runs a function in a later turn, from any thread.
  LogFeed(LogSink& out, std::function<void(std::function<void()>)> post);
  void write(const Logger& logger, LogLevel level, std::string_view text) override;

  /// Told until the token goes.
  std::shared_ptr<void> watch(Watcher watcher);
  /// The last lines, the oldest first: a few hundred.
  std::vector<Line> lines() const;
  /// The last warnings and errors, which no amount of other lines drives out.
  std::vector<Line> events() const;
  /// Forgets those of a module, or all of them; answers how many.
  std::size_t clear_events(std::string_view module);

 private:
  void deliver();

  LogSink& out_;
  std::function<void(std::function<void()>)> post_;
  mutable std::mutex mutex_;
  std::deque<Line> lines_, events_, waiting_;
  std::size_t left_out_ = 0;
  bool posted_ = false;
  std::atomic<bool> watched_{false};
  std::vector<std::weak_ptr<Watcher>> watchers_;  // engine thread only
};

}  // namespace jackfield
