// Where things are, told from the executable's own place, so that an installed tree can be moved; the build tree looks the same.
#pragma once

#include "lifecycle/configuration.h"

namespace jackfield {

/// PREFIX is the folder above `bin`. Throws std::system_error when the kernel does not say where the executable is.
Places default_places();

}  // namespace jackfield
