// `route` as it is typed: `102 --caller 101 --time 2026-01-31T18:30 context=sales`. Pure but for the time zone.
#pragma once

#include <jackfield/clock.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace jackfield::questions {

constexpr std::string_view kRouteUsage = "CALLED --caller X [--address IP:PORT] [--time 2026-01-31T18:30] [NAME=VALUE ...]";

/// The options in it that take a word, for the parser and for completion.
constexpr std::array<std::string_view, 3> kRouteOptions = {"--caller", "--address", "--time"};

struct RouteQuestion {
  std::string called, caller, address;
  std::optional<WallTime> time;  ///< none: now
  std::vector<std::pair<std::string, std::string>> parameters;  ///< as a call's would be; they come last
};

/// Words are parted by blanks; "…" keeps them, \ takes away what the next character means. The error is one sentence.
tl::expected<std::vector<std::string>, std::string> parse_words(std::string_view line);
/// So that parse_words() gives it back.
std::string quoted_word(std::string_view word);

/// `now` is for times of day alone. The error is one sentence.
tl::expected<RouteQuestion, std::string> parse_route_question(const std::vector<std::string>& words, WallTime now);

}  // namespace jackfield::questions
