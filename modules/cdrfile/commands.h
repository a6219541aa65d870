// `jackfield cdr`: the records of the file, when it is in the default format. A server may run on it.
#pragma once

#include <jackfield/module.h>

#include <array>

namespace jackfield::cdrfile {

extern const std::array<ModuleCommand, 1> kCommands;

/// Exit codes as ModuleCommand::run.
int cdr_command(CommandContext& context);

}  // namespace jackfield::cdrfile
