// Edits the text of a configuration file: adds, changes and removes sections and keys and leaves everything else as it was, comments
// and order included. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jackfield::conf {

enum class LineKind { key, header, other };  ///< other: empty, a comment, or a directive such as [$include x]

/// A line as the reader of the file sees it: with the lines that continue it.
struct Line {
  std::string_view text;  ///< with its line ends
  LineKind kind = LineKind::other;
  std::string_view name;  ///< of the key or of the section
  std::string_view section;
};
/// Views into `text`, which together are all of it.
std::vector<Line> split(std::string_view text);

/// The end of line that the file uses.
std::string_view line_end(std::string_view text);
/// `key=value` with that end; a final backslash of the value does not join the next line.
std::string key_line(std::string_view key, std::string_view value, std::string_view end);

using Keys = std::vector<std::pair<std::string, std::string>>;

/// `text` with a new section at its end.
std::string with_section(std::string_view text, std::string_view section, std::span<const Keys::value_type> keys);
/// With that key in place of those in `replaced`, and of itself; behind the header where there was none of them. Nothing: no such section.
std::optional<std::string> with_key(std::string_view text, std::string_view section, std::string_view key, std::string_view value,
                                    std::span<const std::string_view> replaced = {});
/// Without the section, wherever in the file its parts are. A comment right above the next section stays with that one.
std::optional<std::string> without_section(std::string_view text, std::string_view section);

}  // namespace jackfield::conf
