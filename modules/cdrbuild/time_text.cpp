#include "time_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace jackfield::cdrbuild {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

/// Replaces what `own` knows (given the text behind a %, it answers how many characters of it it took) and leaves other conversions.
template <class Own>
std::string expand(std::string_view format, Own own) {
  std::string out;
  while (!format.empty()) {
    if (format.front() != '%' || format.size() == 1) {
      out.push_back(format.front());
      format.remove_prefix(1);
      continue;
    }
    if (const auto taken = own(format.substr(1), out); taken != 0) {
      format.remove_prefix(taken + 1);
      continue;
    }
    out.append(format.substr(0, 2));
    format.remove_prefix(2);
  }
  return out;
}

std::size_t fraction(std::string_view conversion, std::int64_t microseconds, std::string& out) {
  if (conversion.starts_with("3f")) return out.append(fmt::format("{:03}", microseconds / 1000)), 2;
  if (conversion.starts_with("f")) return out.append(fmt::format("{:06}", microseconds)), 1;
  return 0;
}

}  // namespace

std::string seconds_text(std::int64_t microseconds, Resolution resolution) {
  const auto span = std::max<std::int64_t>(microseconds, 0);
  switch (resolution) {
    case Resolution::sec:
      return fmt::to_string((span + kSecond / 2) / kSecond);
    case Resolution::msec: {
      const auto milliseconds = (span + 500) / 1000;
      return fmt::format("{}.{:03}", milliseconds / 1000, milliseconds % 1000);
    }
    case Resolution::usec:
      break;
  }
  return fmt::format("{}.{:06}", span / kSecond, span % kSecond);
}

std::string formatted_time(std::string_view format, std::int64_t microseconds, bool utc) {
  const auto seconds = static_cast<std::time_t>(microseconds / kSecond);
  const auto with_fraction =
      expand(format, [&](std::string_view conversion, std::string& out) { return fraction(conversion, microseconds % kSecond, out); });
  std::tm parts{};
  if (utc) gmtime_r(&seconds, &parts);
  else localtime_r(&seconds, &parts);
  // A character in front: strftime answers 0 both for an empty text and for one that does not fit.
  const auto marked = "." + with_fraction;
  std::string out(64, '\0');
  for (;;) {
    if (const auto size = std::strftime(out.data(), out.size(), marked.c_str(), &parts); size != 0) return out.substr(1, size - 1);
    if (out.size() > 64 * 1024) return {};
    out.resize(out.size() * 2);
  }
}

std::string formatted_duration(std::string_view format, std::int64_t microseconds) {
  const auto span = std::max<std::int64_t>(microseconds, 0);
  const auto seconds = span / kSecond;
  return expand(format, [&](std::string_view conversion, std::string& out) -> std::size_t {
    if (const auto taken = fraction(conversion, span % kSecond, out); taken != 0) return taken;
    switch (conversion.front()) {
      case 'H': return out.append(fmt::format("{:02}", seconds / 3600)), 1;
      case 'M': return out.append(fmt::format("{:02}", seconds / 60 % 60)), 1;
      case 'S': return out.append(fmt::format("{:02}", seconds % 60)), 1;
      case '%': return out.push_back('%'), 1;
      default: return 0;
    }
  });
}

}  // namespace jackfield::cdrbuild
