// What several parsers walk over: header lines, comma separated lists, `;name=value` lists. One implementation each, so that
// the stream framer and the message agree on what a line is, and the splitter and the typed headers on what a quote is.
#pragma once

#include <string_view>

#include "sip/text.h"

namespace jackfield::sip {

/// Header lines up to and including the empty line. A line that is wrong is reported once and skipped, so that a 400 can
/// still carry what the others say.
class LineWalker {
 public:
  enum class What : std::uint8_t { header, end, bad, truncated };

  explicit LineWalker(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}
  What next();

  std::string_view name() const { return name_; }
  std::string_view value() const { return value_; }      ///< trimmed; the line breaks of folded lines are inside
  std::string_view problem() const { return problem_; }  ///< after bad
  const char* at() const { return at_; }

 private:
  What bad(std::string_view problem, const char* from);

  const char* at_;
  const char* end_;
  std::string_view name_, value_, problem_;
};

/// Values separated by commas outside quotes and angle brackets; empty ones are passed over.
class ListWalker {
 public:
  explicit ListWalker(std::string_view text) : rest_(text) {}
  /// False at the end, or when a quote or bracket is not closed: broken() tells, and rest() is what was not split.
  bool next(std::string_view& value);
  bool broken() const { return broken_; }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  bool broken_ = false;
};

/// `;name=value` pairs from the cursor's place to the end of its text.
class ParameterWalker {
 public:
  explicit ParameterWalker(text::Cursor cursor) : cursor_(cursor) {}
  /// False at the end, or when something is wrong: bad() tells, and offset() where.
  bool next();
  bool bad() const { return bad_; }
  std::size_t offset() const { return cursor_.offset(); }

  std::string_view name, value;  ///< value without quotes, escapes kept
  std::string_view text;         ///< the pair as written, from its `;` on

 private:
  text::Cursor cursor_;
  bool bad_ = false;
};

}  // namespace jackfield::sip
