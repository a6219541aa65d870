// An account: a bounded queue of requests and the workers that run them, each with a connection of its own. Engine thread only; workers
// hand answers back in batches. What it promises:
//
//   deadline    an asker is answered at its deadline, whatever the database does; what runs is interrupted, what waits is not begun
//   away        while no connection can be made, questions are answered `away` at once; those asked while the first attempt is
//               under way, or while a connection that broke is made anew, wait for it. Attempts go on for ever, with back-off
//   writes      are answered after commit. A group that fails is run one by one; deadlocks and the like are repeated `retry` times;
//               what a broken connection had not begun to commit is run on the next one
//   full        more than `max_waiting` questions are refused (`away`, with a text)
#pragma once

#include "database/connection.h"
#include "database/request.h"
#include "database/statistics.h"

#include <jackfield/engine.h>
#include <jackfield/task.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace jackfield::database {

struct AccountOptions {
  std::string name;
  Duration timeout{10000};             ///< of a question that names no deadline
  int retry = 5;                       ///< how often what met a deadlock or a lock is run again
  unsigned connections = 1;            ///< of role any; or of role reader when there is a writer
  bool separate_writer = false;        ///< one more, of role writer
  std::size_t max_waiting = 10000;
  std::size_t max_batch = 256;
  Duration reconnect_first{250};       ///< back-off: doubled with each failure …
  Duration reconnect_most{30000};      ///< … up to this
  bool autostart = true;               ///< false: connects at the first question
};

struct Question {
  std::shared_ptr<const Query> query;
  std::span<const sql::Value> values;  ///< one for each of the query's names; copied before ask() returns
  bool wants_rows = true;
  std::string_view idempotency_key = {};
  Duration deadline{0};                ///< zero: the account's timeout
};

class Account {
 public:
  enum class State : std::uint8_t {
    idle,        ///< nobody has asked yet (autostart=no)
    connecting,
    up,
    away,        ///< some or all questions are answered `away`
  };

  /// `module` names log and metrics.
  Account(Engine& engine, std::string_view module, AccountOptions options, ConnectionFactory factory);
  /// As stop().
  ~Account();
  Account(const Account&) = delete;

  /// The question is queued when this returns; the task waits for the answer. It may outlive the account.
  Task<Answer> ask(const Question& question);

  /// Questions without an answer. At zero nothing is lost by stopping.
  std::size_t in_flight() const;
  State state() const;
  /// Why it is away, or the last reason it was; empty when it never was.
  const std::string& last_trouble() const;
  Statistics statistics() const;
  const AccountOptions& options() const;

  /// Ends the workers: what is queued is still run, for `patience` of real time; then running queries are interrupted. Questions without
  /// an answer get `away` or `late`.
  void stop(Duration patience = Duration(1000));

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

std::string_view state_name(Account::State state);

}  // namespace jackfield::database
