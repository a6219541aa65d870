#include "guard/bans.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace jackfield::sip::guard {
namespace {

constexpr WallTime::duration kRemembered = std::chrono::hours(24);
constexpr std::uint64_t kCompactFrom = 64 * 1024;
constexpr std::uint64_t kAboutOne = 96;  // bytes of a record
constexpr std::size_t kLongestReason = 200;
constexpr char kBan = 'B', kLift = 'L';  // first word of a record

std::string record_of(const Ban& ban) {
  return fmt::format("{} {} {} {} {} {}", kBan, ban.address.host(), ban.since.time_since_epoch().count(), ban.until.time_since_epoch().count(), ban.times, ban.reason);
}

std::string_view take_word(std::string_view& text) {
  const auto end = std::min(text.find(' '), text.size());
  const auto word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

template <class Number>
bool read_number(std::string_view word, Number& out) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
  return error == std::errc{} && end == word.data() + word.size();
}

}  // namespace

Bans::Bans(Engine& engine) : engine_(engine), log_(engine.log("sip")) {}

void Bans::open(const std::filesystem::path& file) {
  auto journal = Journal::open(engine_.io(), {.path = file}, [this](std::string_view record) { replay(record); });
  if (!journal) return log_.error("event=bans-not-kept reason={} hint=\"bans end with this run\"", log_value(journal.error().text));
  journal_ = std::move(*journal);
  forget_old();
  compact_when_due();
  if (const auto active = list(); !active.empty()) log_.info("event=bans-restored count={}", active.size());
}

const Ban* Bans::active(SourceKey source) const {
  const auto found = bans_.find(source);
  return found != bans_.end() && found->second.until > now() ? &found->second : nullptr;
}

unsigned Bans::times(const net::Address& address) const {
  const auto found = bans_.find(source_key(address));
  return found != bans_.end() && found->second.until + kRemembered > now() ? found->second.times : 0;
}

const Ban& Bans::add(const net::Address& address, Duration time, std::string_view reason) {
  if (bans_.size() >= kMost) forget_old();
  const unsigned before = times(address);
  Ban& ban = bans_[source_key(address)];
  ban = {.address = address.with_port(0), .since = now(), .until = now() + time, .times = before + 1, .reason = std::string(reason.substr(0, kLongestReason))};
  std::replace_if(ban.reason.begin(), ban.reason.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  keep(record_of(ban));
  return ban;
}

bool Bans::lift(const net::Address& address) {
  const auto found = bans_.find(source_key(address));
  if (found == bans_.end()) return false;
  const bool was_active = found->second.until > now();
  bans_.erase(found);
  keep(fmt::format("{} {}", kLift, address.host()));
  return was_active;
}

namespace {
Task<tl::expected<void, JournalError>> not_kept() { co_return tl::unexpected(JournalError{"the journal of bans could not be opened"}); }
}  // namespace

Task<tl::expected<void, JournalError>> Bans::kept() { return journal_ ? journal_->sync() : not_kept(); }

std::vector<const Ban*> Bans::list() const {
  std::vector<const Ban*> all;
  for (const auto& [source, ban] : bans_)
    if (ban.until > now()) all.push_back(&ban);
  std::sort(all.begin(), all.end(), [](const Ban* a, const Ban* b) { return a->until < b->until; });
  return all;
}

void Bans::replay(std::string_view record) {
  const auto kind = take_word(record);
  const auto address = net::Address::parse(take_word(record));
  if (!address) return;
  if (kind == std::string_view(&kLift, 1)) {
    bans_.erase(source_key(*address));
    return;
  }
  std::int64_t since = 0, until = 0;
  Ban ban{.address = *address};
  if (!read_number(take_word(record), since) || !read_number(take_word(record), until) || !read_number(take_word(record), ban.times)) return;
  ban.since = WallTime(WallTime::duration(since));
  ban.until = WallTime(WallTime::duration(until));
  ban.reason = record;
  bans_[source_key(*address)] = std::move(ban);
}

void Bans::keep(const std::string& record) {
  if (!journal_) return;
  journal_->append(record);
  journal_->sync([this](const std::string& error) {
    if (!error.empty()) log_.error("event=bans-not-kept reason={}", log_value(error));
  });
  compact_when_due();
}

void Bans::compact_when_due() {
  if (journal_->file_bytes() < kCompactFrom + 2 * kAboutOne * bans_.size()) return;
  journal_->compact([this](const std::function<void(std::string_view)>& add) {
    for (const auto& [source, ban] : bans_) add(record_of(ban));
  });
}

void Bans::forget_old() {
  std::erase_if(bans_, [&](const auto& each) { return each.second.until + kRemembered <= now(); });
  if (bans_.size() < kMost) return;
  const auto first = std::min_element(bans_.begin(), bans_.end(), [](const auto& a, const auto& b) { return a.second.until < b.second.until; });
  bans_.erase(first);
}

}  // namespace jackfield::sip::guard
