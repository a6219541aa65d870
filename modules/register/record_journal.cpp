#include "record_journal.h"

#include <utility>

namespace jackfield::register_module {

tl::expected<std::unique_ptr<RecordJournal>, std::string> RecordJournal::open(Engine& engine, Logger& log, std::filesystem::path path, const Replay& replay) {
  std::unique_ptr<RecordJournal> opened(new RecordJournal(log, std::move(path)));
  const auto open_one = [&](const std::filesystem::path& file, bool sync) -> tl::expected<std::unique_ptr<Journal>, std::string> {
    auto journal = Journal::open(engine.io(), {.path = file, .sync = sync}, replay);
    if (!journal) return tl::unexpected(journal.error().text);
    if (const auto& cut = (*journal)->cut_tail(); !cut.empty()) log.warning("event=journal-cut reason={}", log_value(cut));
    return std::move(*journal);
  };
  auto quick = open_one(quick_file(opened->path_), false);
  if (!quick) return tl::unexpected(std::move(quick.error()));
  auto synced = open_one(synced_file(opened->path_), true);
  if (!synced) return tl::unexpected(std::move(synced.error()));
  opened->quick_ = std::move(*quick);
  opened->synced_ = std::move(*synced);
  return opened;
}

void RecordJournal::sync(std::function<void(bool good)> done) {
  synced_->sync([this, done = std::move(done)](const std::string& error) {
    if (error.empty()) sync_failed_ = false;
    else if (!std::exchange(sync_failed_, true)) log_.error("event=journal-not-synced reason={}", log_value(error));
    if (done) done(error.empty());
  });
}

void RecordJournal::compact(Write write, std::function<void(bool good)> done) {
  compacting_ = true;
  const auto end = [this, done = std::move(done)](const std::string& error) {
    compacting_ = false;
    if (error.empty()) compact_failed_ = false;
    else if (!std::exchange(compact_failed_, true)) log_.error("event=journal-not-compacted reason={}", log_value(error));
    if (done) done(error.empty());
  };
  // One after the other: what the new one no longer says is written the old one must not take for new.
  synced_->compact(write, [this, write, end](const std::string& error) {
    if (error.empty()) quick_->compact(write, end);
    else end(error);
  });
}

}  // namespace jackfield::register_module
