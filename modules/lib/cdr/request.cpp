#include "cdr/request.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cmath>

namespace jackfield::cdr {
namespace {

/// Takes exactly `digits` digits off the text.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  int number = 0;
  if (text.size() < digits) return std::nullopt;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return number;
}

bool take(std::string_view& text, char expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(1);
  return true;
}

/// `.123`; digits beyond milliseconds are passed over.
std::optional<int> take_fraction(std::string_view& text) {
  int milliseconds = 0, weight = 100;
  std::size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits, weight /= 10) milliseconds += (text[digits] - '0') * weight;
  text.remove_prefix(digits);
  return digits > 0 ? std::optional(milliseconds) : std::nullopt;
}

/// `Z`, `+01:00`, `+0100`; minutes east of Greenwich. Nothing is Greenwich.
std::optional<int> take_offset(std::string_view& text) {
  if (text.empty() || take(text, 'Z')) return 0;
  const bool west = text.front() == '-';
  if (!west && text.front() != '+') return std::nullopt;
  text.remove_prefix(1);
  const auto hours = take_number(text, 2);
  take(text, ':');
  const auto minutes = take_number(text, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return (*hours * 60 + *minutes) * (west ? -1 : 1);
}

}  // namespace

std::optional<std::int64_t> parse_time(std::string_view text) {
  using namespace std::chrono;
  const auto year_number = take_number(text, 4);
  if (!year_number || !take(text, '-')) return std::nullopt;
  const auto month_number = take_number(text, 2);
  if (!month_number || !take(text, '-')) return std::nullopt;
  const auto day_number = take_number(text, 2);
  if (!day_number) return std::nullopt;
  const year_month_day date{year(*year_number), month(static_cast<unsigned>(*month_number)), day(static_cast<unsigned>(*day_number))};
  if (!date.ok()) return std::nullopt;
  milliseconds time = sys_days(date).time_since_epoch();
  if (text.empty()) return time.count();

  if (!take(text, 'T') && !take(text, ' ')) return std::nullopt;
  const auto hour = take_number(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  time += hours(*hour) + minutes(*minute);
  if (take(text, ':')) {
    const auto second = take_number(text, 2);
    if (!second || *second > 59) return std::nullopt;
    time += seconds(*second);
    if (take(text, '.')) {
      const auto fraction = take_fraction(text);
      if (!fraction) return std::nullopt;
      time += milliseconds(*fraction);
    }
  }
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;
  return (time - minutes(*offset)).count();
}

std::optional<std::int64_t> parse_seconds(std::string_view text) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  constexpr double kYear9999 = 253402300800;
  if (error != std::errc() || end != text.data() + text.size() || !(seconds >= 0 && seconds < kYear9999)) return std::nullopt;
  return std::llround(seconds * 1000);
}

tl::expected<Request, std::string> parse_request(std::span<const std::string> arguments) {
  if (arguments.empty()) return tl::unexpected(std::string("what is to be done?"));
  const bool list = arguments[0] == "list";
  if (!list && arguments[0] != "export") return tl::unexpected(fmt::format("`{}` is none of the commands", arguments[0]));
  Request request;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const auto& word = arguments[i];
    if (!list && (word == "--csv" || word == "--json")) {
      if (request.format != Format::list) return tl::unexpected(std::string("one of --csv and --json is enough"));
      request.format = word == "--csv" ? Format::csv : Format::json;
      continue;
    }
    const bool time = word == "--since" || (!list && word == "--until");
    if (!time && !(list && (word == "--last" || word == "--user"))) return tl::unexpected(fmt::format("`{}` is not understood", word));
    if (i + 1 == arguments.size()) return tl::unexpected(fmt::format("{} wants a value", word));
    const auto& value = arguments[++i];
    if (word == "--user") {
      if (value.empty()) return tl::unexpected(std::string("--user wants a name"));
      request.user = value;
    } else if (time) {
      const auto parsed = parse_time(value);
      if (!parsed) return tl::unexpected(fmt::format("`{}` is no time; 2026-11-20, 2026-11-20T21:00 and 2026-11-20T21:00:00+01:00 are", value));
      (word == "--since" ? request.since : request.until) = *parsed;
    } else {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), request.last);
      if (error != std::errc() || end != value.data() + value.size() || request.last < 1 || request.last > Request::kMostLast)
        return tl::unexpected(fmt::format("--last takes a number from 1 to {}; `jackfield cdr export` has no limit", Request::kMostLast));
    }
  }
  if (!list && request.format == Format::list) return tl::unexpected(std::string("say --csv or --json"));
  return request;
}

}  // namespace jackfield::cdr
