// Two files that hold the same call records: PATH.journal is never synced, so that nothing is ever in the way of its writes, and kill -9 loses
// nothing but what was said in the very moment; PATH.synced.journal is synced with the ends of records (many share one sync), for a power
// cut. What one of them has lost the other has. Engine thread only.
#pragma once

#include <jackfield/engine.h>
#include <jackfield/journal.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace jackfield::register_module {

class RecordJournal {
 public:
  using Replay = std::function<void(std::string_view bytes)>;
  /// Replays both, so that most records come twice; the error says what to do.
  static tl::expected<std::unique_ptr<RecordJournal>, std::string> open(Engine& engine, Logger& log, std::filesystem::path path, const Replay& replay);

  void append(std::string_view bytes) {
    quick_->append(bytes);
    synced_->append(bytes);
  }
  /// Told whether all that was appended so far survives a power cut now. A failure is logged, once until it works again.
  void sync(std::function<void(bool good)> done = {});
  using Write = std::function<void(const std::function<void(std::string_view bytes)>& add)>;
  /// Replaces one by what `write` adds at once, then the other by what it adds then. `done` is told whether both are new and the records
  /// durable. A failure is logged, once until it works again. Not while compacting().
  void compact(Write write, std::function<void(bool good)> done = {});
  bool compacting() const { return compacting_; }
  /// Of one that was never compacted: all that was appended is in the file that is never synced, so that reading it back gives everything.
  bool written() const { return quick_->file_bytes() == quick_->position(); }
  std::uint64_t bytes() const { return std::max(quick_->file_bytes(), synced_->file_bytes()); }
  const std::filesystem::path& path() const { return path_; }

  static std::filesystem::path quick_file(const std::filesystem::path& path) { return path.string() + ".journal"; }
  static std::filesystem::path synced_file(const std::filesystem::path& path) { return path.string() + ".synced.journal"; }

 private:
  RecordJournal(Logger& log, std::filesystem::path path) : log_(log), path_(std::move(path)) {}

  Logger& log_;
  const std::filesystem::path path_;
  std::unique_ptr<Journal> quick_, synced_;
  bool compacting_ = false, sync_failed_ = false, compact_failed_ = false;
};

}  // namespace jackfield::register_module
