// `jackfield db check`: every query of register.conf that is in force, prepared by its database and not run: whether that understands it, and whether
// values go to it as parameters or within the text.
#pragma once

#include "settings.h"

#include <jackfield/module.h>

namespace jackfield::register_module {

/// True when all of them are understood.
bool check_queries(CommandContext& context, const RegisterSettings& settings);

}  // namespace jackfield::register_module
