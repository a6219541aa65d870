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
constexpr Duration kFillAgain{1000};  // a file that could not be closed: its disk is full
constexpr Duration kKeepAgain{1000};  // the journal could not be synced

}  // namespace

Records::Records(std::shared_ptr<Database> database, std::function<void()> changed)
    : database_(std::move(database)),
      written_(database_->engine().metrics().counter("jackfield_register_records_total", "Call records and counts written to the database.")) {
  const auto make = [&](LaneId id, std::string_view name) {
    RecordLane::Host host{.written = [this](const RecordEntry& entry) { written(entry); },
                          .changed = [this, changed] { changed(), fill(); },
                          .earlier_left = [this] { return overflow_->has_earlier(); }};
    lanes_[static_cast<std::size_t>(id)] = std::make_shared<RecordLane>(id, name, database_, std::move(host));
  };
  make(LaneId::records, "call.cdr");
  make(LaneId::lines, "linetracker");
  auto& metrics = database_->engine().metrics();
  gauges_.push_back(metrics.gauge("jackfield_register_backlog_records", "Call records that wait for the database.", {},
                                  [this] { return static_cast<double>(backlog()); }));
  gauges_.push_back(metrics.gauge("jackfield_register_backlog_memory_records", "Of them, those that are in memory and not on disk alone.", {},
                                  [this] { return static_cast<double>(in_memory()); }));
  gauges_.push_back(metrics.gauge("jackfield_register_refused_records", "Call records that the database refused.", {},
                                  [this] { return static_cast<double>(refused()); }));
  gauges_.push_back(metrics.gauge("jackfield_register_backlog_seconds", "How long the oldest of them has waited.", {},
                                  [this] { return static_cast<double>(waiting().count()) / 1000; }));
}

Records::~Records() {
  for (const auto& lane : lanes_) lane->stop();
}

tl::expected<std::shared_ptr<Records>, std::string> Records::open(std::shared_ptr<Database> database, const std::filesystem::path& path,
                                                                  std::function<void()> changed) {
  std::shared_ptr<Records> records(new Records(std::move(database), std::move(changed)));
  if (auto opened = records->open_journals(path); !opened) return tl::unexpected(std::move(opened.error()));
  return records;
}

tl::expected<void, std::string> Records::open_journals(const std::filesystem::path& path) {
  auto& engine = database_->engine();
  auto journal = RecordJournal::open(engine, database_->log(), path, [this](std::string_view bytes) { replay(bytes); });
  if (!journal) return tl::unexpected(std::move(journal.error()));
  journal_ = std::move(*journal);
  auto overflow = RecordOverflow::open(engine, database_->log(), path, [this](bool good) {
    if (good) return fill();
    if (!std::exchange(filling_later_, true)) database_->engine().spawn("register.overflow", fill_later(weak_from_this(), database_));
  });
  if (!overflow) return tl::unexpected(std::move(overflow.error()));
  overflow_ = std::move(*overflow);
  // Above everything that an earlier journal gave, also one that somebody has removed: numbers are part of keys that the database remembers.
  last_number_ = std::max({last_number_, overflow_->last_number(), static_cast<std::uint64_t>(engine.clock().wall().time_since_epoch().count())});

  std::vector<RecordEntry> left;
  for (auto& [number, entry] : left_)
    if (!applied_.contains(number)) left.push_back(std::move(entry));
  std::ranges::sort(left, {}, &RecordEntry::number);
  for (auto& entry : left) {
    live_bytes_ += entry.bytes;
    auto& lane = *lanes_[static_cast<std::size_t>(entry.lane)];
    lane.add_old(std::move(entry));
  }
  // Some of the oldest that waited on disk alone may have been taken back before: the journal still says so.
  if (auto taken = overflow_->take()) take_back(std::move(*taken));
  left_.clear();
  applied_.clear();
  if (!overflow_->taken()) compact();
  return {};
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
  if (const auto more = overflow_->count(); more > 0) database_->log().info("event=records-on-disk backlog={} reason=\"of an earlier run\"", more);
  for (const auto& lane : lanes_) lane->start();
  fill();
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
  const bool ends = operation == "finalize" || operation == "combined";
  // What is on disk alone came before.
  if (!overflow_->empty() || !has_room()) {
    overflow_->append(std::move(entry), bytes, ends);
    return fill();
  }
  live_bytes_ += bytes.size();
  journal_->append(bytes);
  if (ends) journal_->sync();
  lanes_[static_cast<std::size_t>(lane)]->add(std::move(entry));
}

void Records::written(const RecordEntry& entry) {
  written_.add();
  live_bytes_ -= entry.bytes;
  journal_->append(RecordEntry::encode_applied(entry.number));
  if (taken_.left.erase(entry.number) != 0) {
    taken_.written.push_back(entry.number);
    if (taken_.left.empty()) drop_taken();
  }
  compact_if_grown();
  fill();
}

// What was refused is no reason to leave the others where they are, unless there is very much of it.
void Records::fill() {
  if (!settings_) return;  // at the very start
  const auto window = settings_->records_in_memory;
  if (overflow_->empty() || overflow_->taken() || in_memory() >= 4 * window || in_memory() - held_up() > window / 2) return;
  if (auto taken = overflow_->take()) take_back(std::move(*taken));
}

void Records::take_back(RecordOverflow::Taken taken) {
  if (overflow_->taken()) {
    ++taken_.number;
    for (const auto& entry : taken.entries) {
      if (applied_.contains(entry.number)) taken_.written.push_back(entry.number);
      else taken_.left.insert(entry.number);
    }
  }
  for (auto& entry : taken.entries) {
    if (applied_.contains(entry.number) || left_.contains(entry.number)) continue;
    live_bytes_ += entry.bytes;
    journal_->append(entry.encode());
    auto& lane = *lanes_[static_cast<std::size_t>(entry.lane)];
    if (taken.earlier) lane.add_old(std::move(entry));
    else lane.add(std::move(entry));
  }
  for (const auto& lane : lanes_) lane->look();
  keep();
}

void Records::keep() {
  journal_->sync([this, file = taken_.number](bool good) {
    if (file == taken_.number && overflow_->taken()) {
      if (!good) return keep_anew();
      drop_taken();
    }
    compact_if_grown();
    fill();
  });
}

// Where a sync failed, each one fails until the journal is a new file.
void Records::keep_anew() {
  if (journal_->compacting()) return keep_later();
  compact([this, file = taken_.number](bool good) {
    if (file != taken_.number || !overflow_->taken()) return;
    if (!good) return keep_later();
    drop_taken();
    fill();
  });
}

void Records::keep_later() { database_->engine().spawn("register.keep", wait_and_keep(weak_from_this(), database_, taken_.number)); }

Task<> Records::wait_and_keep(std::weak_ptr<Records> records, std::shared_ptr<Database> database, std::uint64_t file) {
  auto pausing = database->pause(kKeepAgain);
  const bool goes_on = co_await std::move(pausing);
  const auto self = records.lock();
  if (goes_on && self && file == self->taken_.number && self->overflow_->taken()) self->keep();
}

void Records::drop_taken() {
  overflow_->drop();
  taken_.left.clear();
  taken_.written.clear();
}

Task<> Records::fill_later(std::weak_ptr<Records> records, std::shared_ptr<Database> database) {
  auto pausing = database->pause(kFillAgain);
  const bool goes_on = co_await std::move(pausing);
  const auto self = records.lock();
  if (!goes_on || !self) co_return;
  self->filling_later_ = false;
  self->fill();
}

void Records::compact_if_grown() {
  const auto bytes = journal_->bytes();
  if (!journal_->compacting() && bytes > kCompactFrom && bytes > 4 * live_bytes_) compact();
}

void Records::compact(std::function<void(bool good)> done) {
  auto write = [this](const std::function<void(std::string_view)>& add) {
    std::vector<const RecordEntry*> live;
    for (const auto& lane : lanes_) lane->each([&](const RecordEntry& entry) { live.push_back(&entry); });
    std::ranges::sort(live, {}, [](const RecordEntry* entry) { return entry->number; });
    for (const auto* entry : live) add(entry->encode());
    // What was taken back and is written must not be forgotten before the file it came from is gone.
    for (const auto number : taken_.written) add(RecordEntry::encode_applied(number));
  };
  journal_->compact(std::move(write), std::move(done));
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

std::size_t Records::backlog() const { return in_memory() + overflow_->count(); }

std::size_t Records::in_memory() const {
  std::size_t sum = 0;
  for (const auto& lane : lanes_) sum += lane->backlog();
  return sum;
}

std::size_t Records::refused() const {
  std::size_t sum = 0;
  for (const auto& lane : lanes_) sum += lane->refused();
  return sum;
}

std::size_t Records::held_up() const {
  std::size_t sum = 0;
  for (const auto& lane : lanes_) sum += lane->held_up();
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
