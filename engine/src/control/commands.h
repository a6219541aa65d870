// The commands of a running server: the table of them, how one is found, explained and completed. They come as engine.command, from
// consoles (jackfield/console.h) and scripts; what is none of them goes on to the modules.
#pragma once

#include <jackfield/bus.h>

#include "control/command.h"

#include <span>
#include <string>
#include <string_view>

namespace jackfield {

std::span<const Command> all_commands();
const Command* find_command(std::string_view verb);

/// The engine's handler of engine.command. A command of ours that failed is handled, too, and says so in `operation-status`.
Verdict answer_command(Server& server, Message& message);
/// The engine's handler of engine.help.
Verdict answer_help(Message& message);

/// CR LF at the end of each line, however it was written.
std::string with_crlf(std::string_view text);

}  // namespace jackfield
