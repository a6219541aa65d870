// What a load generator reads in a SIP message: a search for a header and for a parameter, nothing more. On purpose not the
// server's own parser: a mistake there must not be made on both sides.
#pragma once

#include <string>
#include <string_view>

namespace jackfield::bench {

/// The value of the first header of that full name at or after `from` (a line's end), without surrounding blanks; empty: none.
/// With `end` it can be called again for the next one.
std::string_view header(std::string_view message, std::string_view name, std::size_t* end = nullptr);
/// `name=value` of a header value, without quotes.
std::string_view parameter(std::string_view value, std::string_view name);
std::string_view body(std::string_view message);
/// "SIP/2.0 200 OK" → 200; a request → 0.
int status(std::string_view message);
/// All headers of that name as they came, each line with its end.
std::string header_lines(std::string_view message, std::string_view name);

}  // namespace jackfield::bench
