// What a batch costs one or two exchanges with the server: reads in one, writes in a transaction of two, so that nothing has begun to
// commit until every write of the group has worked. The connection that owns it decides what becomes of what failed.
#pragma once

#include "answers.h"
#include "applied_keys.h"
#include "member.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace jackfield::pgsqldb {

/// Where a run of several members stopped. Nothing of a group of writes stays then; reads before it have their answer.
struct Stop {
  static constexpr std::size_t kCommit = static_cast<std::size_t>(-1);
  std::size_t member = kCommit;  ///< its place in the span
  std::string state;             ///< SQLSTATE
  std::string text;
  bool noting = false;           ///< it was the note of its key that failed
};

class Pipeline {
 public:
  Pipeline(Link& link, AppliedKeys& keys) : link_(link), keys_(keys) {}

  /// Before connecting: nothing is under way.
  void reset() { committing_ = false; }
  /// After connecting: the statements every batch needs. False: the server refused one.
  OrBroken<bool> prepare();

  /// Prepares `sql` under that name for each; tells those that the server does not take, by their place.
  struct Preparation {
    std::string sql, name;
  };
  OrBroken<void> prepare(std::span<const Preparation> statements, const std::function<void(std::size_t, const PGresult*)>& failed);
  OrBroken<void> deallocate(std::span<const std::string> names);

  /// In one transaction that only reads: `begin` where the session itself may write. Each that worked goes to `done`.
  OrBroken<std::optional<Stop>> read(std::span<Member> members, bool begin, const std::function<void(Member&)>& done);
  /// In one transaction, with keys noted. Nothing stays unless all worked; their answers are in the members then.
  OrBroken<std::optional<Stop>> write(std::span<Member> members);
  /// Whether the write() that broke had begun to commit.
  bool committing() const { return committing_; }
  /// Of that write(), where keys are not noted in a table; empty: it had none.
  const Transaction& transaction() const { return transaction_; }

 private:
  OrBroken<std::optional<Stop>> note_keys(std::span<Member> members);
  OrBroken<std::optional<Stop>> take_answers(std::span<Member> members);
  OrBroken<void> roll_back();

  Link& link_;
  AppliedKeys& keys_;
  Arguments arguments_;
  bool committing_ = false;
  Transaction transaction_;
};

}  // namespace jackfield::pgsqldb
