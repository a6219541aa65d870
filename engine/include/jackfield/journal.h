// The one way to keep something across kill -9: an append-only file of checksummed records with a writer thread of its own.
// append() hands a record over; a shared fdatasync makes everything that waits durable together. Engine thread only, except that the
// file is written by the journal's thread.
#pragma once

#include <jackfield/durability.h>
#include <jackfield/task.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace boost::asio {
class io_context;
}

namespace jackfield {

struct JournalError {
  std::string text;  ///< says the file, what failed and what to do
};

class Journal {
 public:
  struct Options {
    std::filesystem::path path;
    bool sync = true;                          ///< false: survives kill -9 but not a power cut
    std::size_t max_record = 1024 * 1024;      ///< longer ones are refused
  };
  /// Called for each whole record, oldest first. A torn or damaged tail is cut off and reported; damage before the tail is an error.
  using Replay = std::function<void(std::string_view record)>;
  /// Opens or creates the file, replays it, starts the thread. Callbacks and tasks complete on `io`.
  static tl::expected<std::unique_ptr<Journal>, JournalError> open(boost::asio::io_context& io, Options options, const Replay& replay);
  /// Writes and syncs what was appended, then ends the thread.
  ~Journal();

  /// Position after the record, in bytes since the journal began; grows across compactions. A record longer than `max_record`
  /// is the caller's mistake (std::length_error).
  std::uint64_t append(std::string_view record);
  /// `done(error text, empty when it worked)` once everything appended so far is durable. Called in a later turn, in order;
  /// never after the journal is destroyed. A record whose sync failed for lack of space is kept and tried again with the next
  /// append, so it may become durable later.
  void sync(std::function<void(const std::string& error)> done);
  Task<tl::expected<void, JournalError>> sync();
  /// Of everything appended so far. Told also when the journal is gone by then: its end is a sync.
  Durability durability();
  /// Replaces the journal by the records `write` gives, atomically (new file, sync, rename); appends meanwhile go to the new one.
  /// `write` is called at once, on the engine thread. When the new file cannot be made the old one stays in use; `done` is told.
  void compact(const std::function<void(const std::function<void(std::string_view record)>& add)>& write,
               std::function<void(const std::string& error)> done = {});

  std::uint64_t position() const;
  /// Bytes of records in the file now, without the room made for the next ones; compare with what a compaction would leave to decide when to compact.
  std::uint64_t file_bytes() const;
  /// What open() cut off at the end of the file, for the log; empty when the file was whole.
  const std::string& cut_tail() const;

 private:
  struct Impl;
  explicit Journal(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace jackfield
