// A request on its way through a pipeline: the SQL it is sent as, its parameters, and the answer it will get when all went well.
#pragma once

#include "link.h"
#include "statements.h"

#include "database/request.h"

#include <string>
#include <string_view>
#include <vector>

namespace jackfield::pgsqldb {

/// Values for libpq, which wants each closed by a NUL. Kept until the next fill().
class Arguments {
 public:
  /// One for each of `count`, as `value(index)` gives it; none of them holds a NUL.
  template <class Value>
  void fill(std::size_t count, Value value) {
    bytes_.clear();
    starts_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      starts_.push_back(bytes_.size());
      bytes_.append(value(i)).push_back('\0');
    }
    pointers_.clear();
    for (const auto start : starts_) pointers_.push_back(bytes_.data() + start);
  }
  int count() const { return static_cast<int>(pointers_.size()); }
  const char* const* data() const { return pointers_.data(); }

 private:
  std::string bytes_;
  std::vector<std::size_t> starts_;
  std::vector<const char*> pointers_;
};

struct Member {
  explicit Member(database::Request& request_in) : request(&request_in) {}

  /// Chooses parameters or literals and checks the values; false when one cannot be taken, and the request is refused for it.
  bool render();
  /// From now on with literals, because with parameters it does not work.
  bool render_literals();
  /// Worth a place among the prepared statements.
  bool preparable() const { return !literals && request->query().text.constant_text(); }
  void send(Link& link, Arguments& arguments) const;
  void answer(const PGresult* result);
  /// Keeps what is worth knowing for the next time, and gives the request its answer.
  void succeed();

  database::Request* request;
  bool literals = false;
  bool trial = false;       ///< whether literals work is not known yet
  bool applied = false;     ///< it has an idempotency key that was noted before
  std::string sql;
  std::string name;         ///< of the prepared statement; empty: none
  database::Answer result;
};

}  // namespace jackfield::pgsqldb
