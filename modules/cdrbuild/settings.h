// cdrbuild.conf: the key table and what it says. A record keeps the settings it was begun with.
#pragma once

#include <jackfield/settings.h>

#include <string>
#include <string_view>
#include <vector>

namespace jackfield::cdrbuild {

extern const KeyTable kKeys;

enum class Resolution : std::uint8_t { sec, msec, usec };

/// A parameter of the call that goes into its record.
struct Collected {
  std::string name;
  bool overwrite = false;  ///< a later value replaces an earlier one; else the first that is not empty stays
};

/// strftime's conversions, and %f (microseconds) and %3f (milliseconds); empty: not wanted.
struct TimeFormats {
  std::string start, answer, hangup, duration;
  bool utc = false;
};

struct CdrSettings {
  Resolution resolution = Resolution::msec;
  Duration guardtime{5000};
  bool ring_on_progress = false;
  bool updates = true;
  bool status = false;
  Duration status_interval{60000};  ///< 0: none
  bool status_answer = true;        ///< only for calls that were answered
  std::vector<Collected> collected;
  TimeFormats formats;
};
/// Names in [parameters] that belong to the record itself become warnings and are left alone.
CdrSettings read_settings(const Settings& settings, Problems& problems);

}  // namespace jackfield::cdrbuild
