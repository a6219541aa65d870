// `jackfield db`: makes the tables of share/sql in a database account and brings them up to date. `jackfield user`: the users in it. `jackfield
// cdr`: its call records. No server runs in these processes.
#pragma once

#include <jackfield/module.h>

#include <array>
#include <iosfwd>

namespace jackfield::register_module {

extern const std::array<ModuleCommand, 3> kCommands;

/// Exit codes as ModuleCommand::run; `input` is where --password-stdin reads.
int db_command(CommandContext& context);
int cdr_command(CommandContext& context);
int user_command(CommandContext& context, std::istream& input);

}  // namespace jackfield::register_module
