#include "sqlite_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

namespace jackfield::sqlitedb {
namespace {

using namespace std::chrono_literals;
using database::Role;

constexpr std::size_t kKeptTexts = 200;
/// How often the one who runs a statement is asked whether anybody still waits for it, in steps of SQLite's machine.
constexpr int kProgressSteps = 2000;
constexpr auto kLongestNap = 10ms;
/// Pages in memory, in KiB: with SQLite's 2 MiB, registrations of 10,000 users read three pages from the file each.
constexpr int kPageCache = 16 * 1024;
/// Pages that the log may have before they go to the file: one that is written again meanwhile goes there once. 32 MiB.
constexpr int kCheckpointAfter = 8000;
/// In naps: how long opening waits for a lock. Then it is tried again with back-off.
constexpr int kOpenPatience = 50;

}  // namespace

SqliteConnection::SqliteConnection(std::shared_ptr<const ConnectionSettings> settings, Role role)
    : settings_(std::move(settings)), role_(role), known_(kKeptTexts), shown_(settings_->file.name.empty() ? "a temporary database" : settings_->file.name) {}

tl::expected<std::string, std::string> SqliteConnection::open() {
  close();
  const auto& file = settings_->file;
  if (!file.uri && !file.one_connection && may_write()) {
    if (auto made = make_file(); !made) return tl::unexpected(made.error());
  }
  // Each connection belongs to one thread at a time: it needs no locks of its own.
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (file.uri) flags |= SQLITE_OPEN_URI;
  if (file.uri || file.one_connection) flags |= SQLITE_OPEN_CREATE;
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(file.name.c_str(), &db, flags, nullptr);
  db_.reset(db);
  if (db == nullptr) return tl::unexpected(fmt::format("{}: there is not enough memory", shown_));
  auto refused = code == SQLITE_OK ? set_up() : std::optional(trouble(code));
  if (!refused) return shown_;
  close();
  return tl::unexpected(std::move(refused->text));
}

void SqliteConnection::close() noexcept {
  for (Statement* statement : {&begin_, &commit_, &rollback_, &savepoint_, &release_, &rollback_to_, &note_}) statement->reset();
  known_.clear();
  db_.reset();
}

/// With the mode it shall have, before SQLite makes it with another. Only when it is not there: closing a file that SQLite has open
/// would drop SQLite's locks on it.
tl::expected<void, std::string> SqliteConnection::make_file() const {
  const int made = ::open(settings_->file.name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, settings_->file.mode);
  if (made >= 0) ::close(made);
  else if (errno != EEXIST) {
    return tl::unexpected(fmt::format("{} cannot be made: {}; its folder must be there and belong to the server", shown_,
                                      std::generic_category().message(errno)));
  }
  return {};
}

std::optional<Trouble> SqliteConnection::set_up() {
  sqlite3_progress_handler(db_.get(), kProgressSteps, &SqliteConnection::on_progress, this);
  sqlite3_busy_handler(db_.get(), &SqliteConnection::on_busy, this);
  if (may_write() && sqlite3_db_readonly(db_.get(), "main") == 1) {
    // SQLite opened it for reading instead, and forgot why. One in a URI may have asked for that.
    const int why = !settings_->file.uri && ::access(settings_->file.name.c_str(), W_OK) != 0 ? errno : 0;
    return Trouble{.text = fmt::format("{} cannot be written{}{}: the file and its folder must belong to the server", shown_, why != 0 ? ": " : "",
                                       why != 0 ? std::generic_category().message(why) : "")};
  }
  // The first to read the file: a file that is no database is found out here.
  if (auto refused = execute(fmt::format("PRAGMA synchronous={}", settings_->synchronous))) return refused;
  if (auto refused = execute("PRAGMA temp_store=memory")) return refused;
  if (auto refused = execute(fmt::format("PRAGMA cache_size=-{}", kPageCache))) return refused;
  if (may_write() && !settings_->file.one_connection) {
    if (auto refused = execute("PRAGMA journal_mode=wal")) return refused;
    if (const auto mode = show("PRAGMA journal_mode"); mode != "wal") {
      return Trouble{.text = fmt::format("{} cannot have a write-ahead log there (its mode is {}): put it on a local disk", shown_, mode)};
    }
    if (auto refused = execute(fmt::format("PRAGMA wal_autocheckpoint={}", kCheckpointAfter))) return refused;
  }
  if (!may_write()) {
    if (auto refused = execute("PRAGMA query_only=1")) return refused;
  }
  utf8_ = show("PRAGMA encoding") == "UTF-8";
  if (!may_write()) return {};

  if (!settings_->initialize.empty()) {
    auto refused = execute(settings_->initialize);
    if (!refused && sqlite3_get_autocommit(db_.get()) == 0) refused = Trouble{.text = "it leaves a transaction open"};
    if (refused) {
      refused->text = fmt::format("initialize: {}", refused->text);
      return refused;
    }
  }
  has_applied_ = show("SELECT count(*) FROM sqlite_master WHERE type='table' AND name='jackfield_applied'") == "1";
  for (const auto& [statement, text] : {std::pair(&begin_, "BEGIN IMMEDIATE"), {&commit_, "COMMIT"}, {&rollback_, "ROLLBACK"},
                                        {&savepoint_, "SAVEPOINT one"}, {&release_, "RELEASE one"}, {&rollback_to_, "ROLLBACK TO one"}}) {
    std::string_view rest = text;
    auto next = prepare_next(db_.get(), rest, true);
    if (next.code != SQLITE_OK) return trouble(next.code);
    *statement = std::move(next.statement);
  }
  return {};
}

std::optional<Trouble> SqliteConnection::execute(const std::string& sql) {
  const int code = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? std::nullopt : std::optional(trouble(code));
}

std::optional<Trouble> SqliteConnection::step(const Statement& statement) {
  int code = sqlite3_step(statement.get());
  std::optional<Trouble> refused;
  if (code != SQLITE_DONE && code != SQLITE_ROW) refused = trouble(code);
  sqlite3_reset(statement.get());
  return refused;
}

std::string SqliteConnection::show(const char* pragma) {
  std::string_view rest = pragma;
  const auto next = prepare_next(db_.get(), rest, false);
  if (next.code != SQLITE_OK || sqlite3_step(next.statement.get()) != SQLITE_ROW) return {};
  const auto* text = sqlite3_column_text(next.statement.get(), 0);
  return text == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(text));
}

std::optional<std::string> SqliteConnection::run(Batch batch, database::Delivery& delivery) {
  delivery_ = &delivery;
  broken_.reset();
  if (may_write()) forget_applied();
  const auto writes = [](const database::Request* request) { return request->query().writes.load(std::memory_order_relaxed); };
  const auto in_group = [&](const database::Request* request) { return writes(request) && request->query().text.groupable(); };
  while (!batch.empty() && !broken_) {
    std::size_t taken = 1;
    auto& first = *batch.front();
    if (!may_write() || !writes(&first)) run_read(first);
    if (may_write() && writes(&first)) {
      if (first.query().text.outside_transactions()) {
        run_outside(first);
      } else {
        if (in_group(&first)) taken = static_cast<std::size_t>(std::ranges::find_if_not(batch, in_group) - batch.begin());
        run_group(batch.first(taken));
      }
    }
    for (auto* request : batch.first(taken)) {
      if (request->outcome == database::Outcome::answered) delivery.finished(*request);
    }
    batch = batch.subspan(taken);
  }
  delivery_ = nullptr;
  waiting_ = {};
  return std::move(broken_);
}

int SqliteConnection::on_progress(void* self) {
  const auto& me = *static_cast<const SqliteConnection*>(self);
  return me.cut_off_.load(std::memory_order_relaxed) || (me.now_ != nullptr && me.now_->abandoned()) ? 1 : 0;
}

int SqliteConnection::on_busy(void* self, int count) {
  auto& me = *static_cast<SqliteConnection*>(self);
  if (me.cut_off_.load()) return 0;
  if (me.delivery_ == nullptr) {
    if (count >= kOpenPatience) return 0;
  } else {
    if (std::ranges::all_of(me.waiting_, [](const auto* request) { return request->abandoned(); })) return 0;
    if (count == 0) me.delivery_->about_to_wait(fmt::format("{} is locked by another program; end what writes to it", me.shown_));
    if (!me.delivery_->may_wait_on()) return 0;
  }
  std::this_thread::sleep_for(std::min<std::chrono::milliseconds>(kLongestNap, 1ms * (count + 1)));
  return 1;
}

}  // namespace jackfield::sqlitedb
