// The wall around inih. inih as Debian builds it cuts long lines and gives `;`, `:`, `#` and leading blanks meanings that our
// dialect does not have; so it only ever sees lines made here: numbered keys, and values in short escaped pieces.
// Pure: bytes in, lines out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace jackfield::settings {

/// A line that says something: comments and empty lines are gone, continued lines are one.
struct IniLine {
  enum class Kind : unsigned char {
    bracket,  ///< `[text]`: a section or a directive; the name is in `key`
    entry,    ///< `key=value`, or a key alone
    broken,   ///< `[` without `]`; the whole line is in `key`
  } kind = Kind::entry;
  int number = 0;  ///< of its first line, from 1
  std::string key, value;
};

/// COMPAT §2: a byte order mark is skipped; CR, LF, CRLF and NUL end a line; `;` opens a comment only as a line's first
/// character after blanks; the first `=` ends the key; a value that ends in `\` goes on in the next line. All is trimmed.
std::vector<IniLine> ini_lines(std::string_view bytes);

/// Blanks and tabs off both ends.
std::string_view trim(std::string_view text);

}  // namespace jackfield::settings
