// The order in which modules start. Pure.
#pragma once

#include <jackfield/module.h>

#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace jackfield {

/// Each module after all it requires, else in the order given. `running` are there already. The error names a module that is
/// required and not there, or a circle ("a needs b, b needs a").
tl::expected<std::vector<const ModuleDescriptor*>, std::string> start_order(const std::vector<const ModuleDescriptor*>& modules,
                                                                            const std::vector<std::string>& running = {});

}  // namespace jackfield
