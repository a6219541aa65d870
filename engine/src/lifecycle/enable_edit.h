// `jackfield module enable NAME`: the text of jackfield.conf with one more line in [modules]. Pure.
#pragma once

#include <string>
#include <string_view>

namespace jackfield {

/// Everything else stays as it is, byte for byte; a line that disables the module is replaced.
std::string with_module_enabled(std::string_view text, std::string_view name);

}  // namespace jackfield
