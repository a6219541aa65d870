// cdrfile.conf: the key table and what it says.
#pragma once

#include "line_format.h"

#include <jackfield/settings.h>

#include <string>

namespace jackfield::cdrfile {

extern const KeyTable kKeys;

struct FileSettings {
  std::string path;  ///< empty: nothing is written
  unsigned mode = 0640;
  bool combined = false;
  bool tabs = true;         ///< of the default format
  bool own_format = false;  ///< another than the default
  LineFormat format;
};
/// `problems`: where silence means something else than in Yate, when it was Yate's file.
FileSettings read_settings(const Settings& settings, Problems& problems);

}  // namespace jackfield::cdrfile
