// Appends lines to a file from a thread of its own, one write a line, in order. A line that cannot be written is kept and tried
// again; what still waits at the end is written before the destructor returns, or counted as lost.
#pragma once

#include <jackfield/log.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <tl/expected.hpp>

namespace jackfield::cdrfile {

/// An open file; closed with its last owner.
class AppendFile {
 public:
  /// The error says what to do.
  static tl::expected<std::shared_ptr<AppendFile>, std::string> open(const std::filesystem::path& path, unsigned mode);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;

  /// Appends as much as fits and takes that off `line`. The error names the file and what to do.
  tl::expected<void, std::string> write(std::string_view& line);
  const std::filesystem::path& path() const { return path_; }

 private:
  AppendFile(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}
  int fd_;
  std::filesystem::path path_;
};

class LineWriter {
 public:
  using Milliseconds = std::chrono::milliseconds;
  /// `log` is written to from the writer's thread.
  LineWriter(Logger& log, std::shared_ptr<AppendFile> file, Milliseconds retry = Milliseconds(1000));
  /// Writes what waits.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;

  void append(std::string line);
  /// Lines appended from now on go there; earlier ones still to the file before.
  void reopen(std::shared_ptr<AppendFile> file);
  /// Waits until everything appended so far is written, or for that long. For the end and for tests.
  bool flush(Milliseconds limit);
  std::size_t waiting() const;

  /// Beyond this many waiting lines (a full disk) the newest are refused, counted and reported.
  static constexpr std::size_t kMaxWaiting = 1'000'000;

 private:
  struct Item {
    std::shared_ptr<AppendFile> file;
    std::string line;
  };
  void run();
  void report(const std::string& error);

  Logger& log_;
  const Milliseconds retry_;
  std::shared_ptr<AppendFile> file_;  ///< the engine thread's: for the next line
  mutable std::mutex mutex_;
  std::condition_variable wake_, written_;
  std::deque<Item> waiting_;
  bool stopping_ = false;
  bool failing_ = false;
  std::size_t refused_ = 0;
  std::thread thread_;
};

}  // namespace jackfield::cdrfile
