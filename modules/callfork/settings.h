// callfork.conf.
#pragma once

#include <jackfield/settings.h>

namespace jackfield::callfork {

extern const KeyTable kKeys;
inline constexpr std::string_view kGeneral = "general";
inline constexpr std::string_view kSilence = "silence";

}  // namespace jackfield::callfork
