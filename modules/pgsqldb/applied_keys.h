// Writes that must not happen twice: each has an idempotency key. Where we may have a table of our own (database/applied.h), the key is
// noted in the transaction of the write; where we may not, the transaction's number is remembered while its commit is in doubt, and
// txid_status() tells afterwards what became of it.
#pragma once

#include "link.h"
#include "member.h"

#include <jackfield/clock.h>

#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace jackfield::pgsqldb {

/// A transaction by its number, and the run of the server that gave it. A server that crashed may give numbers again that it had not
/// written down, so "committed" says something only to who asks the same run.
struct Transaction {
  std::string number, run;
};

/// Commits that nobody knows the end of, by key. Shared by the connections of an account; any thread.
class Doubts {
 public:
  /// An empty transaction is none: its key is in the table.
  void remember(const std::string& key, Transaction transaction);
  std::optional<Transaction> find(const std::string& key) const;
  void forget(const std::string& key);

 private:
  static constexpr std::size_t kMost = 10'000;
  mutable std::mutex mutex_;
  std::map<std::string, Transaction> transactions_;
};

class AppliedKeys {
 public:
  AppliedKeys(Link& link, Logger& log, Doubts& doubts) : link_(link), log_(log), doubts_(doubts) {}

  /// After connecting: nothing is known about this server.
  void reset() { mode_ = Mode::unknown; }
  /// Finds out what the server allows, once, and makes the table.
  OrBroken<void> prepare();
  /// The table turned out to be gone, or not ours.
  void missing(std::string_view sqlstate);

  /// Whether keys are noted in the table; else their transaction's number is asked for.
  bool table() const { return mode_ == Mode::table; }
  void send_note(const std::string& key);
  /// As text, for a request that is not run in a pipeline.
  std::string note(const std::string& key) const;
  /// A query that gives the transaction it is run in, for transaction_of().
  static std::string which_transaction();
  static Transaction transaction_of(const PGresult* result);

  void in_doubt(const std::string& key, Transaction transaction) { doubts_.remember(key, std::move(transaction)); }
  /// Without a table: settles the doubt about an earlier commit under that key. True when the request has its outcome: it was applied;
  /// or nobody can tell, which is refused rather than done twice.
  OrBroken<bool> settle(database::Request& request);
  /// Once an hour, forgets keys that nobody will repeat.
  OrBroken<void> clean();

 private:
  enum class Mode { unknown, table, transaction_number };
  Link& link_;
  Logger& log_;
  Doubts& doubts_;
  Mode mode_ = Mode::unknown;
  int prepared_ = 0;
  std::string note_name_;
  Arguments arguments_;
  std::optional<std::chrono::steady_clock::time_point> cleaned_;
};

}  // namespace jackfield::pgsqldb
