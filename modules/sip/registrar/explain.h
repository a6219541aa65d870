// `registration show AOR` (N-15): each binding of a user, how it is reached, what NAT did to it, what failed last and why calls would
// not get there. Reads only. Engine thread.
#pragma once

#include <string>
#include <string_view>

#include "core.h"
#include "guard/guard.h"
#include "registrar/table.h"

namespace jackfield::sip::registrar {

/// Text for people, lines ended by CRLF. `aor`: a user's name, also as user@domain or sip:user@domain.
std::string explain(const Core& core, const guard::Guard& guard, const Table& table, std::string_view aor);

}  // namespace jackfield::sip::registrar
