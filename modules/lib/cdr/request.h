// What `jackfield cdr list|export` was asked for. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace jackfield::cdr {

inline constexpr std::string_view kUsage = "list [--last COUNT] [--user NAME] [--since TIME] | export --csv|--json [--since TIME] [--until TIME]";

enum class Format : std::uint8_t { list, csv, json };

struct Request {
  static constexpr std::size_t kUsualLast = 20, kMostLast = 10'000;  ///< a list is held in memory, an export is not

  Format format = Format::list;
  std::size_t last = kUsualLast;  ///< of a list
  std::string user;               ///< empty: everybody; else who calls or is called
  std::optional<std::int64_t> since, until;  ///< milliseconds since 1970; from the first on, and before the second

  bool wants(std::int64_t time) const { return (!since || time >= *since) && (!until || time < *until); }
};

/// What follows the verb. The error says what is not understood.
tl::expected<Request, std::string> parse_request(std::span<const std::string> arguments);

/// ISO 8601: a day, or a day and a time of it; UTC where it names no other offset. Milliseconds since 1970.
std::optional<std::int64_t> parse_time(std::string_view text);
/// Seconds since 1970 with their fraction, as records have them.
std::optional<std::int64_t> parse_seconds(std::string_view text);

}  // namespace jackfield::cdr
