// A query with `${name}`s in it, parsed once: where each stands decides how a value takes its place. Values are data: nothing is ever
// scanned again once they are in. Pure and immutable; any thread.
//
//   '${name}'        a whole literal: a bound parameter ($1 or ?1), or in render_escaped() the literal with the value escaped
//   'a ${name} b'    inside a longer literal: escaped in place, also beside bound parameters (E'…' doubles backslashes too)
//   "a_${name}"      inside a quoted name: escaped in place
//   ${name}          outside quotes, only a number (`12`, `-3.5`) can take its place: a word could name a column and make the
//                    caller's text part of the query. Everything else is refused with a text that says to write '${name}'
//   -- ${name}       in comments it stays as it is
//   ${name$text}     `text` where nobody gave a value; outside quotes it may be a number, a word or a call such as NULL or now()
//
// A `${` in dollar quotes, U&'…' or [name] is refused by parse(): nothing can be escaped there.
#pragma once

#include "sql/dialect.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace jackfield::sql {

/// What takes a name's place; absent: nobody gave one, which is the template's default or the empty text.
using Value = std::optional<std::string_view>;

/// A value that this query cannot take, or a template that cannot be filled in: one sentence for people, with the name or the line.
struct QueryError {
  std::string text;
};

class QueryTemplate {
 public:
  static constexpr std::size_t kMaxText = 1024 * 1024;

  static tl::expected<QueryTemplate, QueryError> parse(std::string_view text, Dialect dialect);
  /// The text as it is: `${` means nothing in it. Refused is only what no database takes (a NUL, too long).
  static tl::expected<QueryTemplate, QueryError> plain(std::string_view text, Dialect dialect);

  const std::string& text() const { return text_; }
  /// Each name once, in the order of their first place. render_…() take a value for each of them, in this order.
  const std::vector<std::string>& names() const { return names_; }

  /// How many statements there are, separated by `;` (empty ones do not count).
  std::size_t statements() const { return statements_; }
  /// Every statement begins with SELECT, VALUES, TABLE or WITH: most likely nothing is written.
  bool looks_read_only() const { return looks_read_only_; }
  /// Every statement is one that may share a transaction with others (SELECT, INSERT, UPDATE, DELETE, …); not BEGIN, VACUUM, CREATE.
  bool groupable() const { return groupable_; }
  /// Some statement is one that no transaction of ours may surround: BEGIN, COMMIT, SAVEPOINT, VACUUM, PRAGMA, ATTACH, …
  bool outside_transactions() const { return outside_transactions_; }

  /// How many parameters the bound text has: $1 to $N. Each place has its own, so that one name may stand where types differ.
  std::size_t bound_count() const { return bound_.size(); }
  /// The bound text is the same for all values: it has nothing that is escaped in place.
  bool constant_text() const { return !in_place_; }
  /// The text with parameters; `storage` is written only where the text is not constant. A value that cannot be taken is an error;
  /// so values have been checked when this has succeeded.
  tl::expected<std::string_view, QueryError> render_bound(std::span<const Value> values, std::string& storage) const;
  /// The value of parameter `index`, from 0.
  std::string_view bound_value(std::size_t index, std::span<const Value> values) const;
  /// The whole text with escaped literals and no parameters.
  tl::expected<std::string, QueryError> render_escaped(std::span<const Value> values) const;

 private:
  enum class Place : std::uint8_t { whole_literal, literal, backslash_literal, name, backtick_name, bare };
  struct Slot {
    std::string before;  ///< the text up to it
    Place place = Place::bare;
    bool after_minus = false;  ///< bare: a sign here would begin a comment
    std::uint16_t name = 0;
    std::string fallback;
    bool has_fallback = false;
  };
  class Parser;

  QueryTemplate() = default;
  tl::expected<void, QueryError> append_in_place(const Slot& slot, const Value& value, std::string& out) const;
  tl::expected<void, QueryError> append_number(const Slot& slot, const Value& value, std::string& out) const;
  tl::expected<void, QueryError> check(const Slot& slot, std::string_view value, bool bound) const;
  void append_parameter(std::size_t number, std::string& out) const;

  std::string text_;
  Dialect dialect_ = Dialect::sqlite;
  std::vector<std::string> names_;
  std::vector<Slot> slots_;
  std::string rest_;                  ///< after the last slot
  std::vector<std::uint16_t> bound_;  ///< slots that are parameters
  std::string bound_text_;            ///< when it is constant
  std::size_t statements_ = 0;
  bool looks_read_only_ = true;
  bool groupable_ = true;
  bool outside_transactions_ = false;
  bool in_place_ = false;
};

/// Where the first byte is that is not UTF-8; npos when it all is.
std::size_t invalid_utf8(std::string_view text);

}  // namespace jackfield::sql
