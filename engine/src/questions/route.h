// `jackfield route`: what the server would do with a call, without consequences. The account is asked as sip would ask it (user.auth, where
// the question names a `username`), then call.preroute and call.route are rehearsed (Bus::rehearse). Engine thread.
#pragma once

#include "questions/question.h"

#include <jackfield/engine.h>
#include <jackfield/task.h>

#include <string>

namespace jackfield::questions {

/// For people: each handler with what it did, then a line that begins with `goes to:` or `refused:`; lines end in LF.
Task<std::string> rehearse_route(Engine& engine, RouteQuestion question);

}  // namespace jackfield::questions
