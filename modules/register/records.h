// Call records on their way to the database: never lost, never doubled (DECISIONS D11).
//
// Each call.cdr that [call.cdr] or [linetracker] has a query for is appended to a journal before the database is asked, and marked there once
// the database has committed it. What is journaled when:
//
//   call.cdr said      the entry is appended to two files and handed to their threads in the same turn of the loop. The first is never synced, so
//                      that nothing is ever in the way of its writes: kill -9 loses nothing but what was said in the very moment. The second is
//                      synced with each end of a record (many ends share one sync), for a power cut; it holds the same.
//   database asked     at the same time: the write there does not wait for the sync. Whichever of the two survives is enough.
//   answer: committed  "applied" is appended, and synced with whatever comes next. When it is lost the entry is written a second time, under the
//                      same key (node, run, cdrid, operation, number), which changes nothing.
//   answer: none       the entry stays, and is tried again in the order of its record (RecordLane).
//
// A start replays what is not applied, then runs the initquery, which closes records of this node that nothing ever ended, and only then writes
// records of the new run. Engine thread only.
#pragma once

#include "record_lane.h"

#include <jackfield/journal.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace jackfield::register_module {

class Records {
 public:
  /// Opens the journals PATH.journal and PATH.synced.journal; the error says what to do. `changed` is told when critical() may have changed.
  static tl::expected<std::unique_ptr<Records>, std::string> open(std::shared_ptr<Database> database, const std::filesystem::path& path,
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
  std::size_t refused() const;
  Duration waiting() const;
  /// A record could not be written and its section is critical.
  bool critical() const;

 private:
  Records(std::shared_ptr<Database> database, std::function<void()> changed);
  void replay(std::string_view bytes);
  tl::expected<std::unique_ptr<Journal>, std::string> open_journal(const std::filesystem::path& path, bool sync);
  void written(const RecordEntry& entry);
  void append(std::string_view bytes);
  void compact_if_grown();
  void compact();

  std::shared_ptr<Database> database_;
  std::shared_ptr<const RegisterSettings> settings_;
  std::array<std::shared_ptr<RecordLane>, kLanes> lanes_;
  std::unordered_map<std::uint64_t, RecordEntry> left_;  ///< while the journals are replayed
  std::unordered_set<std::uint64_t> applied_;            ///< likewise
  std::unique_ptr<Journal> quick_, synced_;
  std::uint64_t last_number_ = 0;
  std::size_t live_bytes_ = 0;
  int compacting_ = 0;
  bool sync_failed_ = false;
  Counter& written_;
  std::vector<std::shared_ptr<void>> gauges_;
};

}  // namespace jackfield::register_module
