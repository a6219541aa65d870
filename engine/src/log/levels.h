// The names of log levels, ours and Yate's numbers.
#pragma once

#include <jackfield/log.h>

#include <optional>
#include <string_view>

namespace jackfield {

/// `trace`, `debug`, `info`, `warning`, `error`, `off`; Yate's `on` and 0 to 10; also after the word `level`.
std::optional<LogLevel> parse_log_level(std::string_view text);
std::string_view log_level_name(LogLevel level);
/// `level` as Yate's -v (more > 0) and -q (more < 0) change it.
LogLevel shifted(LogLevel level, int more);

}  // namespace jackfield
