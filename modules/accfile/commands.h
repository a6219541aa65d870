// `jackfield connection add|enable|disable|remove`: edits accfile.conf in place. list, show, register and unregister are the running
// server's.
#pragma once

#include <jackfield/module.h>

#include <iosfwd>

namespace jackfield::accfile {

extern const ModuleCommand kCommands[1];

/// What the verb `connection` does; passwords that are not generated come from `input`.
int connection_command(CommandContext& context, std::istream& input);

}  // namespace jackfield::accfile
