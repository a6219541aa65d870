// Call records on their way to the database: never lost, never doubled (DECISIONS D11).
//
// Each call.cdr that [call.cdr] or [linetracker] has a query for is appended to a journal before the database is asked, and marked there once
// the database has committed it. What is journaled when:
//
//   call.cdr said      the entry is appended to a RecordJournal, two files of which kill -9 leaves one and a power cut the other
//   database asked     at the same time: the write there does not wait for the sync. Whichever of the two survives is enough.
//   answer: committed  "applied" is appended, and synced with whatever comes next. When it is lost the entry is written a second time, under the
//                      same key (node, run, cdrid, operation, number), which changes nothing.
//   answer: none       the entry stays, and is tried again in the order of its record (RecordLane).
//
// Memory holds as many entries as `records_in_memory` says; what comes behind them waits on disk alone (RecordOverflow) and is read back, in its
// order, when half of them are written. The file they came from stays until the first journal holds them durably, or the database has them all.
//
// A start replays what is not applied, then runs the initquery, which closes records of this node that nothing ever ended, and only then writes
// records of the new run. Engine thread only.
#pragma once

#include "record_journal.h"
#include "record_lane.h"
#include "record_overflow.h"

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace jackfield::register_module {

class Records : public std::enable_shared_from_this<Records> {
 public:
  /// Opens the journals that begin with PATH; the error says what to do. `changed` is told when critical() may have changed.
  static tl::expected<std::shared_ptr<Records>, std::string> open(std::shared_ptr<Database> database, const std::filesystem::path& path,
                                                                  std::function<void()> changed);
  ~Records();

  /// At the start and on each reload.
  void use(std::shared_ptr<const RegisterSettings> settings);
  /// Begins to write.
  void start();
  void call_cdr(LaneId lane, const Message& message);
  /// Waits a moment for what is still under way at the end; what is not written then is written at the next start.
  /// Answers engine.halt: false.
  static Task<bool> flush(std::shared_ptr<Records> self);

  std::size_t backlog() const;
  /// Of them, those that are in memory.
  std::size_t in_memory() const;
  std::size_t refused() const;
  std::size_t held_up() const;
  Duration waiting() const;
  /// A record could not be written and its section is critical.
  bool critical() const;

 private:
  Records(std::shared_ptr<Database> database, std::function<void()> changed);
  tl::expected<void, std::string> open_journals(const std::filesystem::path& path);
  void replay(std::string_view bytes);
  void written(const RecordEntry& entry);
  bool has_room() const { return in_memory() < settings_->records_in_memory; }
  /// Reads back what is on disk alone, as long as there is room.
  void fill();
  /// Into memory and the first journal; what that says already is passed over.
  void take_back(RecordOverflow::Taken taken);
  static Task<> fill_later(std::weak_ptr<Records> records, std::shared_ptr<Database> database);
  /// Drops the file of what was taken back once the first journal is durable, for which it tries again and again.
  void keep();
  void keep_anew();
  void keep_later();
  static Task<> wait_and_keep(std::weak_ptr<Records> records, std::shared_ptr<Database> database, std::uint64_t file);
  void drop_taken();
  void compact_if_grown();
  void compact(std::function<void(bool good)> done = {});

  std::shared_ptr<Database> database_;
  std::shared_ptr<const RegisterSettings> settings_;
  std::array<std::shared_ptr<RecordLane>, kLanes> lanes_;
  std::unordered_map<std::uint64_t, RecordEntry> left_;  ///< while the journal is replayed
  std::unordered_set<std::uint64_t> applied_;            ///< likewise
  std::unique_ptr<RecordJournal> journal_;
  std::unique_ptr<RecordOverflow> overflow_;
  std::uint64_t last_number_ = 0;
  struct {
    std::uint64_t number = 0;  ///< how many there were
    std::unordered_set<std::uint64_t> left;
    std::vector<std::uint64_t> written;
  } taken_;  ///< the file that was taken back and is not dropped yet: its entries
  std::size_t live_bytes_ = 0;
  bool filling_later_ = false;
  Counter& written_;
  std::vector<std::shared_ptr<void>> gauges_;
};

}  // namespace jackfield::register_module
