#include "record_overflow.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <system_error>
#include <utility>

namespace jackfield::register_module {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kMore = ".more-";

/// N of PATH.more-N.journal; nothing for another file.
std::optional<std::uint64_t> number_in(const std::string& name, const std::string& prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  std::uint64_t number = 0;
  const char* const end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + prefix.size(), end, number);
  const std::string_view suffix(rest, end);
  if (error != std::errc() || (suffix != ".journal" && suffix != ".synced.journal")) return std::nullopt;
  return number;
}

}  // namespace

fs::path RecordOverflow::path_of(std::uint64_t number) const { return fmt::format("{}{}{:06}", path_.string(), kMore, number); }

tl::expected<std::unique_ptr<RecordOverflow>, std::string> RecordOverflow::open(Engine& engine, Logger& log, fs::path path,
                                                                                std::function<void(bool good)> ready) {
  std::unique_ptr<RecordOverflow> opened(new RecordOverflow(engine, log, std::move(path), std::move(ready)));
  if (auto found = opened->find(); !found) return tl::unexpected(std::move(found.error()));
  return opened;
}

tl::expected<void, std::string> RecordOverflow::find() {
  std::set<std::uint64_t> numbers;
  std::error_code error;
  const auto prefix = fmt::format("{}{}", path_.filename().string(), kMore);
  for (const auto& entry : fs::directory_iterator(path_.parent_path(), error))
    if (const auto number = number_in(entry.path().filename().string(), prefix)) numbers.insert(*number);
  if (error) return tl::unexpected(fmt::format("{}: {}", path_.parent_path().string(), error.message()));
  for (const auto number : numbers) {
    std::set<std::uint64_t> seen;  // most are in both of its files
    auto journal = RecordJournal::open(engine_, log_, path_of(number), [&](std::string_view bytes) {
      const auto record = decode_journal(bytes);
      if (record && record->entry) seen.insert(record->entry->number);
    });
    if (!journal) return tl::unexpected(std::move(journal.error()));
    next_ = number + 1;
    if (seen.empty()) {
      journal->reset();
      remove(path_of(number));
      continue;
    }
    last_number_ = std::max(last_number_, *seen.rbegin());
    files_.push_back({.number = number, .count = seen.size(), .earlier = true, .journal = nullptr});
    count_ += seen.size();
  }
  return {};
}

bool RecordOverflow::add_file() {
  auto journal = RecordJournal::open(engine_, log_, path_of(next_), [](std::string_view) {});
  if (!journal) {
    if (!std::exchange(refused_, true)) log_.error("event=journal-not-made reason={}", log_value(journal.error()));
    remove(path_of(next_));  // half of it may have been
    return false;
  }
  refused_ = false;
  files_.push_back({.number = next_++, .journal = std::move(*journal)});
  for (const auto& entry : std::exchange(unsaved_, {})) save(entry, entry.encode(), true);
  return true;
}

void RecordOverflow::save(const RecordEntry& entry, std::string_view bytes, bool end) {
  auto& file = files_.back();
  file.journal->append(bytes);
  if (end) file.journal->sync();
  ++file.count;
  file.bytes += bytes.size();
  last_number_ = entry.number;
}

void RecordOverflow::append(RecordEntry entry, std::string_view bytes, bool end) {
  ++count_;
  const bool written = !files_.empty() && files_.back().journal;
  const bool grown = written && files_.back().bytes >= kFileBytes;
  const bool added = (!written || grown) && add_file();
  // Where no further file can be made the last one grows on; where there is none it is memory all the same.
  if (!added && !written) return unsaved_.push_back(std::move(entry));
  if (added && grown) close(files_[files_.size() - 2]);
  save(entry, bytes, end);
}

/// A journal ends its threads when it is destroyed; once all is synced nobody waits for that.
void RecordOverflow::close(File& file) {
  if (std::exchange(file.closing, true)) return;
  file.journal->sync([this, number = file.number](bool good) {
    // In a turn of its own: the journal is not destroyed from within what it calls.
    engine_.post([this, number, good, alive = std::weak_ptr(alive_)] {
      if (!alive.expired()) closed(number, good);
    });
  });
}

void RecordOverflow::closed(std::uint64_t number, bool good) {
  const auto file = std::ranges::find(files_, number, &File::number);
  if (file == files_.end()) return;
  file->closing = false;
  // A sync that failed fails for ever. What is in the file can be read back all the same, and is safe elsewhere then.
  const bool readable = good || file->journal->written();
  if (readable) file->journal.reset();
  if (std::exchange(wanted_, false)) ready_(readable);
}

std::optional<RecordOverflow::Taken> RecordOverflow::take() {
  if (taken()) return std::nullopt;
  if (files_.empty()) {
    Taken rest;
    for (auto& entry : std::exchange(unsaved_, {})) rest.entries.push_back(std::move(entry));
    count_ -= rest.entries.size();
    return rest.entries.empty() ? std::nullopt : std::optional(std::move(rest));
  }
  auto& oldest = files_.front();
  if (oldest.journal) {
    wanted_ = true;
    close(oldest);
    return std::nullopt;
  }
  std::map<std::uint64_t, RecordEntry> entries;
  const auto path = path_of(oldest.number);
  auto journal = RecordJournal::open(engine_, log_, path, [&](std::string_view bytes) {
    auto record = decode_journal(bytes);
    if (!record || !record->entry) return;
    record->entry->bytes = bytes.size();
    const auto number = record->entry->number;
    entries.insert_or_assign(number, std::move(*record->entry));
  });
  if (!journal) {
    // Those behind it wait, too: they may hold the ends of what begins in it.
    if (std::exchange(unread_, oldest.number) != oldest.number)
      log_.error("event=journal-not-read reason={} hint=\"it is tried again until it can be read, and what came later waits for it\"", log_value(journal.error()));
    ready_(false);
    return std::nullopt;
  }
  unread_ = 0;
  Taken taken{.earlier = oldest.earlier};
  count_ -= oldest.count;
  files_.pop_front();
  for (auto& [number, entry] : entries) taken.entries.push_back(std::move(entry));
  taken_ = path;
  return taken;
}

void RecordOverflow::drop() { remove(std::exchange(taken_, {})); }

void RecordOverflow::remove(const fs::path& path) {
  for (const auto& file : {RecordJournal::quick_file(path), RecordJournal::synced_file(path)}) {
    std::error_code error;
    fs::remove(file, error);
    if (error) log_.error("event=journal-not-removed file={} reason={}", file.string(), log_value(error.message()));
  }
}

}  // namespace jackfield::register_module
