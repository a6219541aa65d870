// Which modules are to be loaded (D22), and what Yate's module names mean. Pure.
#pragma once

#include <jackfield/settings.h>

#include <string>
#include <string_view>
#include <vector>

namespace jackfield {

struct EnabledModule {
  std::string name;
  SourceLine where;  ///< the line that says so; no line when nothing but `modload` does
};

struct Enabling {
  std::vector<EnabledModule> modules;  ///< in the order of the file, then by name
  Problems problems;
};

/// `available`: the names of all modules found in the module folders.
Enabling enabled_modules(const Settings& main, bool modload, const std::vector<std::string>& available);

/// Ours for one of Yate's (`ysipchan`, also with `.yate`): itself where the names are the same.
std::string module_name(std::string_view written);

}  // namespace jackfield
