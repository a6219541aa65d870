// One connection to an SQLite database: opens it in WAL mode and runs batches. Reads run by themselves; writes that wait together share
// a transaction (BEGIN IMMEDIATE … COMMIT) in which a refused one leaves the others alone. On its worker's thread.
#pragma once

#include "database/connection.h"
#include "database_file.h"
#include "sqlite_error.h"
#include "statement.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace jackfield::sqlitedb {

struct ConnectionSettings {
  DatabaseFile file;
  std::string synchronous = "full";  ///< off, normal, full, extra
  std::string initialize;            ///< SQL that whoever writes runs when it has opened the database
  std::chrono::seconds applied_keep{7 * 24 * 3600};
};

class SqliteConnection final : public database::Connection {
 public:
  SqliteConnection(std::shared_ptr<const ConnectionSettings> settings, database::Role role);
  ~SqliteConnection() override { close(); }

  tl::expected<std::string, std::string> open() override;
  void close() noexcept override;
  std::optional<std::string> run(std::span<database::Request* const> batch, database::Delivery& delivery) override;
  void cut_off() noexcept override { cut_off_.store(true); }

 private:
  struct CloseDatabase {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  using Batch = std::span<database::Request* const>;

  // sqlite_connection.cpp: all below answer nothing when it worked.
  std::optional<Trouble> set_up();
  std::optional<Trouble> execute(const std::string& sql);
  std::optional<Trouble> step(const Statement& statement);
  Trouble trouble(int code) const { return trouble_of(db_.get(), code, shown_); }
  tl::expected<void, std::string> make_file() const;
  std::string show(const char* pragma);
  bool may_write() const { return role_ != database::Role::reader; }

  // groups.cpp
  void run_read(database::Request& request);
  void run_outside(database::Request& request);
  void run_group(Batch group);
  void give_up_group(Batch group, const Trouble& trouble);
  std::optional<Trouble> run_in_savepoint(database::Request& request);
  /// Notes the request's key; `applied` when it was noted before.
  std::optional<Trouble> note_key(const database::Request& request, bool& applied);
  std::optional<Trouble> prepare_note();
  void forget_applied();
  /// The request's verdict when the trouble is its own.
  void refuse(database::Request& request, const Trouble& trouble);

  // statements.cpp
  /// The statements of one request: with bound parameters, else with escaped literals.
  std::optional<Trouble> run_request(database::Request& request);
  /// `begun` is set once a statement of it was prepared.
  std::optional<Trouble> run_text(database::Request& request, std::string_view text, bool bound, bool& begun);
  std::optional<Trouble> run_new_text(database::Request& request, std::string_view text, bool bound, bool& begun);
  std::optional<Trouble> run_statement(database::Request& request, sqlite3_stmt* statement, bool bound);
  std::optional<Trouble> bind(const database::Request& request, sqlite3_stmt* statement);

  static int on_progress(void* self);
  static int on_busy(void* self, int count);

  const std::shared_ptr<const ConnectionSettings> settings_;
  const database::Role role_;
  std::atomic<bool> cut_off_{false};
  std::unique_ptr<sqlite3, CloseDatabase> db_;
  StatementCache known_;
  Statement begin_, commit_, rollback_, savepoint_, release_, rollback_to_, note_;
  std::string shown_;  ///< what it is connected to, for people
  bool utf8_ = true;
  bool has_applied_ = false;
  std::chrono::steady_clock::time_point forgotten_{};
  std::string storage_;  ///< for rendered texts

  // While run() is at work.
  database::Delivery* delivery_ = nullptr;
  Batch waiting_;                            ///< who waits for what is done now
  const database::Request* now_ = nullptr;   ///< whose statement runs
  bool only_reading_ = false;                ///< a statement that writes is for somewhere else
  std::optional<std::string> broken_;
};

}  // namespace jackfield::sqlitedb
