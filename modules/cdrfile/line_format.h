// From a call record to its line: a template with ${name} and ${name$default}, and the rules of the format it is in. Pure.
#pragma once

#include <jackfield/message.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield::cdrfile {

/// Yate's columns, in their order.
std::span<const std::string_view> default_columns(bool combined);
std::string default_format(bool tabs, bool combined);

class LineFormat {
 public:
  enum class Rules : std::uint8_t {
    raw,   ///< values as they are
    tabs,  ///< no value holds a tab or a line end: they become blanks
    csv,   ///< RFC 4180: a field with a comma, a quote or a line end is quoted, quotes in it doubled
    line,  ///< no value holds a line end
  };

  LineFormat() = default;
  /// A template with a tab is tab-separated, one with a comma CSV; `raw` takes values as they are.
  LineFormat(std::string_view text, bool raw);

  Rules rules() const { return rules_; }
  /// With its line end.
  std::string line(const Message& cdr) const;

 private:
  struct Field {
    std::string text;     ///< template of one field, without its quotes; the whole line unless CSV
    bool quoted = false;  ///< the template has it in quotes, so it always is
  };
  Rules rules_ = Rules::raw;
  std::vector<Field> fields_;
};

}  // namespace jackfield::cdrfile
