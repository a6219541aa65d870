// Hours and days as routing rules name them. Pure, but for the time zone.
#pragma once

#include <jackfield/clock.h>

#include <optional>
#include <string_view>

namespace jackfield::regexroute {

struct LocalMoment {
  int minute_of_day;  ///< 0 to 1439
  int weekday;        ///< 0 is Monday
};
LocalMoment local_moment(WallTime time);

/// From `first` to before `end`, past midnight where `end` comes first. 24:00 is the end of the day.
struct Hours {
  int first, end;
  bool contains(int minute) const { return first <= end ? minute >= first && minute < end : minute >= first || minute < end; }
};
std::optional<Hours> parse_hours(std::string_view text);  ///< `08:00-18:00`

/// Both included, over the week's end where `last` comes first.
struct Days {
  int first, last;
  bool contains(int day) const { return first <= last ? day >= first && day <= last : day >= first || day <= last; }
};
std::optional<Days> parse_days(std::string_view text);  ///< `sat`, `mon-fri`

}  // namespace jackfield::regexroute
