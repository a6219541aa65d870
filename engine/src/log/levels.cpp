#include "log/levels.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace jackfield {

namespace {

constexpr std::array<std::string_view, 6> kNames = {"trace", "debug", "info", "warning", "error", "off"};

}  // namespace

std::string_view log_level_name(LogLevel level) { return kNames[static_cast<std::size_t>(level)]; }

std::optional<LogLevel> parse_log_level(std::string_view text) {
  if (text.starts_with("level ")) text.remove_prefix(6);
  const auto named = std::find(kNames.begin(), kNames.end(), text);
  if (named != kNames.end()) return static_cast<LogLevel>(named - kNames.begin());
  if (text == "on") return LogLevel::debug;
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number > 10) return std::nullopt;
  // Yate: 0–4 failures, 5–6 warnings, 7–8 notes and calls, 9 info, 10 all.
  if (number >= 10) return LogLevel::trace;
  if (number == 9) return LogLevel::debug;
  if (number >= 7) return LogLevel::info;
  return number >= 5 ? LogLevel::warning : LogLevel::error;
}

LogLevel shifted(LogLevel level, int more) {
  return static_cast<LogLevel>(std::clamp(static_cast<int>(level) - more, 0, static_cast<int>(LogLevel::error)));
}

}  // namespace jackfield
