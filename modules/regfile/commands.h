// `jackfield user …`: edits regfile.conf while no server, or another process, runs. The server is asked to reload.
#pragma once

#include <jackfield/module.h>

#include <istream>

namespace jackfield::regfile {

extern const ModuleCommand kCommands[1];

/// Exit code as ModuleCommand::run; `input` is where --password-stdin reads.
int user_command(CommandContext& context, std::istream& input);

}  // namespace jackfield::regfile
