#include "bindings/store.h"

#include "conf/atomic_file.h"
#include "bindings/saved_file.h"

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::bindings {
namespace {

/// First byte of a record.
enum class Record : char {
  put = 'P',       ///< expires_ms, packed binding: kept in place of the one with the same user and key
  drop = 'D',      ///< username, key
  imported = 'I',  ///< checksum of the file whose bindings follow or came before: it is not taken over twice
  exported = 'X',  ///< the file is ours again
};

/// A journal smaller than this is not worth compacting.
constexpr std::uint64_t kCompactionSlack = 1024 * 1024;
constexpr unsigned kFileMode = 0640;
constexpr Duration kExportDeadline = std::chrono::minutes(5);

std::int64_t wall_ms(const Clock& clock) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock.wall().time_since_epoch()).count();
}

void begin(std::string& record, Record kind) { record.assign(1, static_cast<char>(kind)); }

void write_put(std::string& record, std::int64_t expires_ms, PackedBinding packed) {
  begin(record, Record::put);
  append_number(record, static_cast<std::uint64_t>(expires_ms));
  record.append(packed.bytes());
}

std::uint64_t put_size(const Binding& binding) { return binding.packed_size() + 8; }

}  // namespace

Store::Store(Engine& engine, Options options)
    : engine_(engine), log_(engine.log(options.log)), options_(std::move(options)), exports_(std::make_shared<Pendings>(engine.timers())) {
  expiries_ = engine_.timers().add_sink([this](std::uint64_t id) { expire(static_cast<BindingId>(id)); });
}

Store::~Store() {
  exports_->stop();
  engine_.timers().remove_sink(expiries_);
}

tl::expected<std::unique_ptr<Store>, std::string> Store::open(Engine& engine, Options options) {
  std::unique_ptr<Store> store(new Store(engine, std::move(options)));
  if (auto loaded = store->load(); !loaded) return tl::unexpected(std::move(loaded.error()));
  return store;
}

tl::expected<void, std::string> Store::load() {
  if (options_.file.empty()) return {};
  auto path = options_.file;
  path += ".journal";
  auto journal = Journal::open(engine_.io(), {.path = path, .sync = options_.sync}, [this](std::string_view record) { replay(record); });
  if (!journal) return tl::unexpected(std::move(journal.error().text));
  journal_ = std::move(*journal);
  if (auto imported = import_file(); !imported) return imported;
  start_timers();
  const auto bytes = journal_->file_bytes();
  appended_bytes_ = bytes > live_bytes_ ? bytes - live_bytes_ : 0;
  compact_when_due();
  return {};
}

void Store::replay(std::string_view record) {
  if (record.empty()) return;
  const auto kind = static_cast<Record>(record.front());
  record.remove_prefix(1);
  switch (kind) {
    case Record::put: {
      const auto expires = take_number(record);
      const auto packed = PackedBinding::parse(record);
      if (!expires || !packed) break;
      if (auto* old = table_.find(packed->username(), packed->key())) table_.replace(*old, *packed, static_cast<std::int64_t>(*expires));
      else table_.add(*packed, static_cast<std::int64_t>(*expires));
      return;
    }
    case Record::drop: {
      const auto size = take_number(record);
      if (!size || *size > record.size()) break;
      if (auto* old = table_.find(record.substr(0, *size), record.substr(*size))) table_.remove(*old);
      return;
    }
    case Record::imported:
      imported_ = take_number(record).value_or(0);
      return;
    case Record::exported:
      imported_ = 0;
      return;
  }
  log_.warning("event=record_skipped file={} reason=\"a record of another version\"", options_.file.string());
}

tl::expected<void, std::string> Store::import_file() {
  std::error_code missing;
  if (!std::filesystem::exists(options_.file, missing)) return {};
  const auto text = conf::read_file(options_.file);
  if (!text) return tl::unexpected(text.error());
  const auto mark = saved_mark(*text);
  // A journal that is behind the file we wrote was lost: then the file is all there is.
  if (mark && mark->position <= journal_->position()) return {};
  const auto checksum = checksum_of(*text);
  if (checksum == imported_) return {};

  table_.clear();
  const auto refused = read_saved(*text, [this](PackedBinding packed, std::int64_t expires_ms) {
    if (packed.reliable()) return;
    if (auto* old = table_.find(packed.username(), packed.key())) table_.replace(*old, packed, expires_ms);
    else table_.add(packed, expires_ms);
  });
  imported_ = checksum;
  compact();
  log_.info("event=imported file={} bindings={} skipped={}", options_.file.string(), table_.size(), refused);
  return {};
}

void Store::start_timers() {
  const auto now = wall_ms(engine_.clock());
  std::vector<Binding*> expired;
  table_.each([&](Binding& binding) {
    if (binding.expires_ms() != 0 && binding.expires_ms() <= now) return expired.push_back(&binding);
    live_bytes_ += put_size(binding);
    start_timer(binding);
  });
  for (auto* binding : expired) table_.remove(*binding);
}

void Store::start_timer(Binding& binding) {
  if (binding.expires_ms() == 0) return;
  const Duration left(std::max<std::int64_t>(binding.expires_ms() - wall_ms(engine_.clock()), 0));
  binding.expiry = engine_.timers().start(expiries_, binding.id(), left, TimerKind::coarse);
}

void Store::expire(BindingId id) {
  auto* binding = table_.find(id);
  if (!binding) return;
  log_.debug("event=expired user={}", log_value(binding->username()));
  binding->expiry = {};
  drop(*binding, false);  // its record says by itself that it is over
}

bool Store::put(PackedBinding packed, std::int64_t expires_ms, std::uint32_t max_contacts) {
  scratch_.clear();
  table_.of_user(packed.username(), scratch_);
  const bool reliable = packed.reliable();
  bool wait = !reliable;
  Binding* same = nullptr;
  std::vector<Binding*> others;
  for (auto* binding : scratch_) {
    const auto key = binding->packed().key();
    if (key == packed.key()) {
      same = binding;
    } else if (key.empty() || packed.key().empty()) {
      wait |= binding->kept();
      drop(*binding, true);
    } else if (max_contacts != 0) {
      others.push_back(binding);
    }
  }
  for (std::size_t i = 0; max_contacts != 0 && others.size() - i + 1 > max_contacts; ++i) {
    wait |= others[i]->kept();
    drop(*others[i], true);
  }

  if (same) {
    engine_.timers().stop(same->expiry);
    if (same->kept()) live_bytes_ -= put_size(*same);
    if (same->kept() && reliable) {
      // The journal does not hear of bindings that end with the process, but of the one that this replaces.
      wait = true;
      begin(record_, Record::drop);
      append_number(record_, packed.username().size());
      record_.append(packed.username()).append(packed.key());
      append(record_);
    }
  }
  auto& binding = same ? table_.replace(*same, packed, expires_ms) : table_.add(packed, expires_ms);
  start_timer(binding);
  if (binding.kept()) {
    live_bytes_ += put_size(binding);
    write_put(record_, expires_ms, binding.packed());
    append(record_);
  }
  compact_when_due();
  return wait && keeps_journal();
}

void Store::drop(Binding& binding, bool record) {
  engine_.timers().stop(binding.expiry);
  if (binding.kept()) {
    live_bytes_ -= put_size(binding);
    if (record) {
      const auto packed = binding.packed();
      begin(record_, Record::drop);
      append_number(record_, packed.username().size());
      record_.append(packed.username()).append(packed.key());
      append(record_);
    }
  }
  table_.remove(binding);
}

Store::Removed Store::drop_scratch() {
  Removed removed{.count = scratch_.size()};
  for (auto* binding : scratch_) {
    removed.wait |= binding->kept();
    drop(*binding, true);
  }
  removed.wait &= keeps_journal();
  compact_when_due();
  return removed;
}

Store::Removed Store::remove(std::string_view username, std::string_view key) {
  scratch_.clear();
  if (auto* binding = table_.find(username, key)) scratch_.push_back(binding);
  return drop_scratch();
}

Store::Removed Store::remove_user(std::string_view username) {
  scratch_.clear();
  table_.of_user(username, scratch_);
  return drop_scratch();
}

Store::Removed Store::remove_connection(std::string_view connection_id) {
  scratch_.clear();
  table_.on_connection(connection_id, scratch_);
  return drop_scratch();
}

std::size_t Store::keep_only(const std::function<bool(std::string_view)>& known) {
  scratch_.clear();
  table_.each([&](Binding& binding) {
    if (!known(binding.username())) scratch_.push_back(&binding);
  });
  return drop_scratch().count;
}

Durability Store::durable() {
  auto durability = journal_->durability();
  if (watched_ != durability) {
    durability.then([&log = log_](const std::string& error) {
      if (!error.empty()) log.error("event=not_saved reason={}", log_value(error));
    });
    watched_ = durability;
  }
  return durability;
}

void Store::append(std::string_view record) {
  if (!journal_) return;
  journal_->append(record);
  appended_bytes_ += record.size();
}

void Store::compact_when_due() {
  if (journal_ && appended_bytes_ > live_bytes_ + kCompactionSlack) compact();
}

void Store::compact() {
  journal_->compact([this](const std::function<void(std::string_view)>& add) {
    if (imported_ != 0) {
      begin(record_, Record::imported);
      append_number(record_, imported_);
      add(record_);
    }
    table_.each([&](const Binding& binding) {
      if (!binding.kept()) return;
      write_put(record_, binding.expires_ms(), binding.packed());
      add(record_);
    });
  });
  appended_bytes_ = 0;
}

std::string Store::render() {
  begin(record_, Record::exported);
  append(record_);
  imported_ = 0;
  return write_saved(table_, journal_->position());
}

tl::expected<void, std::string> Store::export_file_now() {
  if (!journal_) return {};
  return conf::replace_file(options_.file, render(), kFileMode);
}

Task<tl::expected<void, std::string>> Store::export_file() {
  using Result = tl::expected<void, std::string>;
  if (!journal_) co_return Result(tl::unexpected<std::string>("bindings are kept in memory only: file= names no file"));
  auto pending = exports_->open<Result>(kExportDeadline);
  // A second export waits here for the first one's thread; people ask for them one at a time.
  exporter_ = std::jthread([engine = &engine_, exports = std::weak_ptr(exports_), id = pending.id(), path = options_.file, text = render()] {
    auto result = conf::replace_file(path, text, kFileMode);
    engine->post([exports, id, result = std::move(result)]() mutable {
      if (const auto open = exports.lock()) open->complete<Result>(id, std::move(result));
    });
  });
  auto answer = co_await pending.wait();
  if (!answer) co_return Result(tl::unexpected<std::string>("the file was not written in time"));
  co_return std::move(*answer);
}

}  // namespace jackfield::bindings
