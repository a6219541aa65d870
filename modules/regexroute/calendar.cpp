#include "calendar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include <ctime>

namespace jackfield::regexroute {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

std::optional<int> two_digits(std::string_view text, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || text.size() > 2 || error != std::errc() || end != text.data() + text.size() || value < 0 || value > most) return std::nullopt;
  return value;
}

std::optional<int> minute_of_day(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto hour = two_digits(text.substr(0, colon), 24), minute = two_digits(text.substr(colon + 1), 59);
  if (!hour || !minute || (*hour == 24 && *minute != 0)) return std::nullopt;
  return *hour * 60 + *minute;
}

std::optional<int> day(std::string_view text) {
  const auto found = std::ranges::find(kDays, text);
  if (found == kDays.end()) return std::nullopt;
  return static_cast<int>(found - kDays.begin());
}

}  // namespace

LocalMoment local_moment(WallTime time) {
  const auto seconds = static_cast<std::time_t>(std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
  std::tm local{};
  localtime_r(&seconds, &local);
  return {.minute_of_day = local.tm_hour * 60 + local.tm_min, .weekday = (local.tm_wday + 6) % 7};
}

std::optional<Hours> parse_hours(std::string_view text) {
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = minute_of_day(text.substr(0, dash)), end = minute_of_day(text.substr(dash + 1));
  if (!first || !end) return std::nullopt;
  return Hours{*first, *end};
}

std::optional<Days> parse_days(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = day(text.substr(0, dash)), last = dash == std::string_view::npos ? first : day(text.substr(dash + 1));
  if (!first || !last) return std::nullopt;
  return Days{*first, *last};
}

}  // namespace jackfield::regexroute
