// [preload] and [postload]: shared libraries that somebody wants in the process beside the modules.
#pragma once

#include <jackfield/settings.h>

#include <string_view>

namespace jackfield {

/// Loads each library that `section` names with yes, its symbols visible to all that is loaded later. They stay until the process
/// ends. One that cannot be loaded is a warning.
Problems load_libraries(const Settings& settings, std::string_view section);

}  // namespace jackfield
