// One question to a database on its way: from the engine thread to a worker and back. While a worker has it, the engine thread only
// says that nobody waits any more (abandon); everything else is the worker's until it has handed it back.
#pragma once

#include "database/query.h"

#include <jackfield/messages/database.h>
#include <jackfield/pending.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield::database {

/// The parameter `failure` of the `database` message.
enum class Failure : std::uint8_t {
  none,
  away,   ///< nothing was written: no connection, too many wait, a full disk
  late,   ///< no answer within the deadline, or the connection broke while committing: a write may have happened
  query,  ///< the database refused the query
  value,  ///< a value that the query or the database cannot hold
};
std::string_view failure_name(Failure failure);

struct Answer {
  Failure failure = Failure::none;
  std::string error;                             ///< for people; empty when it worked
  std::shared_ptr<messages::DatabaseRows> rows;  ///< the last result set; null: there was none, or nobody wants it
  std::uint64_t row_count = 0;
  std::uint64_t column_count = 0;
  std::uint64_t affected = 0;
};

/// A result is held in memory until the asker has it; a larger one is refused with too_large(). Each connection counts its bytes its own way.
inline constexpr std::size_t kMaxResult = 64 * 1024 * 1024;
std::string too_large();

/// What became of a request in one run of its batch.
enum class Outcome : std::uint8_t {
  none,       ///< not decided
  answered,   ///< the answer stands: committed, read, or refused for good
  again,      ///< nothing of it stays; worth another run by itself: its group was rolled back, a deadlock, a serialisation failure
  unsent,     ///< the connection broke, and nothing of it stays: it is run on the next one
  in_doubt,   ///< the connection broke while committing
  elsewhere,  ///< it writes, and this connection only reads
};

class Request : public std::enable_shared_from_this<Request> {
 public:
  /// Copies the values. `cut_off` is the account's: set, it abandons all its requests; read only while the account lives.
  Request(std::shared_ptr<const Query> query, std::span<const sql::Value> values, const std::atomic<bool>& cut_off);
  Request(const Request&) = delete;

  const Query& query() const { return *query_; }
  /// For query().text: one for each of its names.
  std::span<const sql::Value> values() const { return values_; }

  bool wants_rows = true;
  std::string idempotency_key;  ///< empty: none
  PendingId id = 0;

  /// Nobody waits for the answer: stop running it, begin it no more. Set on the engine thread, read anywhere.
  bool abandoned() const { return abandoned_.load() || cut_off_.load(); }
  void abandon() { abandoned_.store(true); }

  // What a connection decides. Each replaces what was decided before: a commit that fails takes the verdicts of its group back.
  Outcome outcome = Outcome::none;
  Answer answer;
  void succeed() { outcome = Outcome::answered, answer.failure = Failure::none; }
  void fail(Failure failure, std::string error);
  /// What the asker is told when it does not work any better next time.
  void run_again(Failure failure, std::string error);
  /// Forgets outcome and answer, for another run.
  void reset();

  // The workers' book-keeping.
  int attempts = 0;             ///< runs by itself that ended in `again`
  int broken_links = 0;         ///< connections it has seen break
  bool delivered = false;       ///< the engine thread has the answer, or soon will
  std::atomic<int> worker{-1};    ///< which one has taken it last; -1: none
  std::atomic<bool> begun{false};  ///< a connection has been given it

 private:
  std::shared_ptr<const Query> query_;
  std::string bytes_;
  std::vector<sql::Value> values_;  // views into bytes_
  const std::atomic<bool>& cut_off_;
  std::atomic<bool> abandoned_{false};
};

}  // namespace jackfield::database
