// `jackfield route --offline`: the modules that route without a server, on a core that opens nothing. In a process of its own.
#pragma once

#include "questions/question.h"

#include <jackfield/log.h>
#include <jackfield/settings.h>

#include <string>
#include <tl/expected.hpp>

namespace jackfield {

class Configuration;

namespace questions {

/// `configuration` is loaded, without errors. The problems are why the modules would not start either.
tl::expected<std::string, Problems> route_offline(const Configuration& configuration, RouteQuestion question, LogSink& log);

}  // namespace questions
}  // namespace jackfield
