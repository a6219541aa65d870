// A database as a command of a module sees it: no server and no loop, one statement after another, each waited for. Made by the
// module that serves the account, for `jackfield db`, `jackfield user` and their like.
#pragma once

#include <jackfield/messages/database.h>

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace jackfield {

class DirectDatabase {
 public:
  struct Answer {
    messages::DatabaseRows rows;  ///< of the last statement that gave some
    long long affected = 0;       ///< rows that were written
  };

  virtual ~DirectDatabase() = default;
  /// `sqlitedb` or `pgsqldb`, as the message `database` says in `dbtype`.
  virtual std::string_view type() const = 0;
  /// Runs SQL as that message does. Several statements are one transaction. Without `values` the text is sent as it is. The error is
  /// the database's own, for people.
  virtual tl::expected<Answer, std::string> run(std::string_view query, const messages::QueryValues* values) = 0;
};

}  // namespace jackfield
