#include "records.h"

#include <jackfield/messages/call.h>

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::register_module {
namespace param = messages::param;
namespace {

constexpr std::size_t kMostBytes = 256 * 1024;  // of one record: more is no call
constexpr std::size_t kCompactFrom = 1024 * 1024;
constexpr Duration kFlush{250}, kFlushStep{5};

}  // namespace

Records::Records(std::shared_ptr<Database> database, std::function<void()> changed)
    : database_(std::move(database)),
      written_(database_->engine().metrics().counter("jackfield_register_records_total", "Call records and counts written to the database.")) {
  const auto make = [&](LaneId id, std::string_view name) {
    lanes_[static_cast<std::size_t>(id)] =
        std::make_shared<RecordLane>(id, name, database_, RecordLane::Host{.written = [this](const RecordEntry& entry) { written(entry); }, .changed = changed});
  };
  make(LaneId::records, "call.cdr");
  make(LaneId::lines, "linetracker");
  auto& metrics = database_->engine().metrics();
  gauges_.push_back(metrics.gauge("jackfield_register_backlog_records", "Call records that wait for the database.", {},
                                  [this] { return static_cast<double>(backlog()); }));
  gauges_.push_back(metrics.gauge("jackfield_register_refused_records", "Call records that the database refused.", {},
                                  [this] { return static_cast<double>(refused()); }));
  gauges_.push_back(metrics.gauge("jackfield_register_backlog_seconds", "How long the oldest of them has waited.", {},
                                  [this] { return static_cast<double>(waiting().count()) / 1000; }));
}

Records::~Records() {
  for (const auto& lane : lanes_) lane->stop();
}

tl::expected<std::unique_ptr<Records>, std::string> Records::open(std::shared_ptr<Database> database, const std::filesystem::path& path,
                                                                  std::function<void()> changed) {
  auto& engine = database->engine();
  std::unique_ptr<Records> records(new Records(database, std::move(changed)));
  auto quick = records->open_journal(path.string() + ".journal", false);
  if (!quick) return tl::unexpected(quick.error());
  auto synced = records->open_journal(path.string() + ".synced.journal", true);
  if (!synced) return tl::unexpected(synced.error());
  records->quick_ = std::move(*quick);
  records->synced_ = std::move(*synced);
  // Above everything that an earlier journal gave, also one that somebody has removed: numbers are part of keys that the database remembers.
  records->last_number_ = std::max<std::uint64_t>(records->last_number_, static_cast<std::uint64_t>(engine.clock().wall().time_since_epoch().count()));

  std::vector<RecordEntry> left;
  for (auto& [number, entry] : records->left_)
    if (!records->applied_.contains(number)) left.push_back(std::move(entry));
  records->left_.clear();
  records->applied_.clear();
  std::ranges::sort(left, {}, &RecordEntry::number);
  for (auto& entry : left) {
    records->live_bytes_ += entry.bytes;
    auto& lane = *records->lanes_[static_cast<std::size_t>(entry.lane)];
    lane.add_old(std::move(entry));
  }
  records->compact();
  return records;
}

tl::expected<std::unique_ptr<Journal>, std::string> Records::open_journal(const std::filesystem::path& path, bool sync) {
  auto journal = Journal::open(database_->engine().io(), {.path = path, .sync = sync}, [this](std::string_view bytes) { replay(bytes); });
  if (!journal) return tl::unexpected(journal.error().text);
  if (const auto& cut = (*journal)->cut_tail(); !cut.empty()) database_->log().warning("event=journal-cut reason={}", log_value(cut));
  return std::move(*journal);
}

// What one of the two files has lost the other has; what either says is written is written.
void Records::replay(std::string_view bytes) {
  auto record = decode_journal(bytes);
  if (!record) {
    database_->log().error("event=journal-record-unknown bytes={} reason=\"written by another version? it is skipped\"", bytes.size());
    return;
  }
  if (!record->entry) {
    applied_.insert(record->applied);
    return;
  }
  record->entry->bytes = bytes.size();
  last_number_ = std::max(last_number_, record->entry->number);
  const auto number = record->entry->number;
  left_.insert_or_assign(number, std::move(*record->entry));
}

void Records::use(std::shared_ptr<const RegisterSettings> settings) {
  settings_ = std::move(settings);
  for (const auto& lane : lanes_) lane->use(settings_);
}

void Records::start() {
  for (const auto& lane : lanes_) lane->start();
}

void Records::call_cdr(LaneId lane, const Message& message) {
  const auto& handler = lane == LaneId::records ? settings_->records : settings_->lines;
  if (!message.flag(param::kCdrwrite, true) || !message.flag(param::kCdrwriteRegister, true)) return;
  const auto operation = message.get(param::kOperation);
  if (!handler.query_for(operation)) return;
  RecordEntry entry{.number = last_number_ + 1,
                    .lane = lane,
                    .record = fmt::format("{}/{}", message.get(param::kRunid), message.get(param::kCdrid)),
                    .operation = std::string(operation),
                    .parameters = {}};
  for (const auto& [name, value] : message.parameters())
    if (name != param::kHandlers.name) entry.parameters.emplace_back(name, value);
  const auto bytes = entry.encode();
  if (bytes.size() > kMostBytes) {
    database_->log().error("event=record-too-long chan={} bytes={} most={}", log_value(message.get(param::kChan)), bytes.size(), kMostBytes);
    return;
  }
  ++last_number_;
  entry.bytes = bytes.size();
  live_bytes_ += bytes.size();
  append(bytes);
  if (operation == "finalize" || operation == "combined") {
    synced_->sync([this](const std::string& error) {
      if (error.empty()) sync_failed_ = false;
      else if (!std::exchange(sync_failed_, true)) database_->log().error("event=journal-not-synced reason={}", log_value(error));
    });
  }
  lanes_[static_cast<std::size_t>(lane)]->add(std::move(entry));
}

void Records::written(const RecordEntry& entry) {
  written_.add();
  live_bytes_ -= entry.bytes;
  append(RecordEntry::encode_applied(entry.number));
  compact_if_grown();
}

void Records::append(std::string_view bytes) {
  quick_->append(bytes);
  synced_->append(bytes);
}

void Records::compact_if_grown() {
  const auto bytes = std::max(quick_->file_bytes(), synced_->file_bytes());
  if (compacting_ == 0 && bytes > kCompactFrom && bytes > 4 * live_bytes_) compact();
}

void Records::compact() {
  for (auto* journal : {quick_.get(), synced_.get()}) {
    ++compacting_;
    journal->compact(
        [this](const std::function<void(std::string_view)>& add) {
          std::vector<const RecordEntry*> live;
          for (const auto& lane : lanes_) lane->each([&](const RecordEntry& entry) { live.push_back(&entry); });
          std::ranges::sort(live, {}, [](const RecordEntry* entry) { return entry->number; });
          for (const auto* entry : live) add(entry->encode());
        },
        [this](const std::string& error) {
          --compacting_;
          if (!error.empty()) database_->log().error("event=journal-not-compacted reason={}", log_value(error));
        });
  }
}

Task<bool> Records::flush(std::shared_ptr<Records> self) {
  const auto limit = self->database_->engine().clock().now() + kFlush;
  while (self->backlog() > self->refused() && self->database_->engine().clock().now() < limit) {
    auto pausing = self->database_->pause(kFlushStep);
    const bool goes_on = co_await std::move(pausing);
    if (!goes_on) break;
  }
  co_return false;
}

std::size_t Records::backlog() const {
  std::size_t sum = 0;
  for (const auto& lane : lanes_) sum += lane->backlog();
  return sum;
}

std::size_t Records::refused() const {
  std::size_t sum = 0;
  for (const auto& lane : lanes_) sum += lane->refused();
  return sum;
}

Duration Records::waiting() const {
  Duration longest{0};
  for (const auto& lane : lanes_) longest = std::max(longest, lane->waiting());
  return longest;
}

bool Records::critical() const {
  return (settings_->records.critical && lanes_[0]->failing()) || (settings_->lines.critical && lanes_[1]->failing());
}

}  // namespace jackfield::register_module
