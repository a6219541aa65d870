// Times as records show them. Pure.
#pragma once

#include "settings.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace jackfield::cdrbuild {

/// Microseconds as seconds with as many decimals as the resolution has, rounded to the nearest; a negative span is 0.
std::string seconds_text(std::int64_t microseconds, Resolution resolution);
/// A point in time (microseconds since 1970) in strftime's conversions, %f and %3f.
std::string formatted_time(std::string_view format, std::int64_t microseconds, bool utc);
/// A span: %H counts all hours, %M, %S, %f and %3f the rest.
std::string formatted_duration(std::string_view format, std::int64_t microseconds);

}  // namespace jackfield::cdrbuild
