// The commands of a running server, as the control socket and later consoles give them: a line in, text out.
#pragma once

#include <jackfield/task.h>

#include "control/protocol.h"

#include <string>

namespace jackfield {

class Server;

/// What is none of the server's own commands is asked as engine.command.
Task<ControlAnswer> execute_command(Server& server, std::string line);

}  // namespace jackfield
