// The two kinds of SQL we speak, where they differ in what a text means before anybody runs it.
#pragma once

#include <cstdint>

namespace jackfield::sql {

enum class Dialect : std::uint8_t {
  sqlite,      ///< a parameter is `?1`; `[name]` and `` `name` `` are names; comments do not nest
  postgresql,  ///< a parameter is `$1`; E'…' has backslashes, $tag$…$tag$ quotes, comments nest; a value has no NUL and is UTF-8
};

}  // namespace jackfield::sql
