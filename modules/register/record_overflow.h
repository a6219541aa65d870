// Call records that wait for the database on disk alone, when memory has its share of them: a row of journals PATH.more-N, each written until it
// has grown to kFileBytes, the oldest read back when there is room, and removed once what it held is in memory and in the first journal. Engine
// thread only; reading one back holds it up no longer than reading so many bytes takes.
#pragma once

#include "record_entry.h"
#include "record_journal.h"

#include <cstddef>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace jackfield::register_module {

class RecordOverflow {
 public:
  static constexpr std::size_t kFileBytes = 1024 * 1024;

  /// Finds and counts what earlier runs left. `ready` is told when a file that take() asked for is closed, or could not be closed or read.
  static tl::expected<std::unique_ptr<RecordOverflow>, std::string> open(Engine& engine, Logger& log, std::filesystem::path path,
                                                                         std::function<void(bool good)> ready);

  /// Nothing waits here; what comes next may stay in memory.
  bool empty() const { return files_.empty() && unsaved_.empty(); }
  std::size_t count() const { return count_; }
  /// Some of it is of an earlier run.
  bool has_earlier() const { return !files_.empty() && files_.front().earlier; }
  /// The highest that is here.
  std::uint64_t last_number() const { return last_number_; }

  /// `end`: of a record; it is synced soon.
  void append(RecordEntry entry, std::string_view bytes, bool end);

  struct Taken {
    std::vector<RecordEntry> entries;  ///< in their order
    bool earlier = false;              ///< of an earlier run
  };
  /// The oldest records. Their file stays until drop(). Nothing while it is being closed, or cannot be read: `ready` is told; nor before drop().
  std::optional<Taken> take();
  bool taken() const { return !taken_.empty(); }
  /// What was taken is kept elsewhere.
  void drop();

 private:
  struct File {
    std::uint64_t number = 0;
    std::size_t count = 0, bytes = 0;
    bool earlier = false;
    std::unique_ptr<RecordJournal> journal;  ///< while it is written or closed
    bool closing = false;
  };

  RecordOverflow(Engine& engine, Logger& log, std::filesystem::path path, std::function<void(bool good)> ready)
      : engine_(engine), log_(log), path_(std::move(path)), ready_(std::move(ready)) {}
  std::filesystem::path path_of(std::uint64_t number) const;
  tl::expected<void, std::string> find();
  /// A file behind the others; false: none can be made.
  bool add_file();
  void save(const RecordEntry& entry, std::string_view bytes, bool end);
  void close(File& file);
  void closed(std::uint64_t number, bool good);
  void remove(const std::filesystem::path& path);

  Engine& engine_;
  Logger& log_;
  const std::filesystem::path path_;
  const std::function<void(bool good)> ready_;
  std::deque<File> files_;  ///< oldest first
  std::deque<RecordEntry> unsaved_;  ///< behind them, while no file can be made
  std::filesystem::path taken_;
  std::uint64_t next_ = 1, last_number_ = 0;
  std::uint64_t unread_ = 0;  ///< the file whose trouble was logged
  std::size_t count_ = 0;
  bool wanted_ = false, refused_ = false;
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

}  // namespace jackfield::register_module
