// `registration list` and `registration show AOR` (N-15): who is registered; each binding of a user, how it is reached, what NAT did to it, what failed last and why calls would
// not get there. Reads only. Engine thread.
#pragma once

#include <string>
#include <string_view>

#include "core.h"
#include "guard/guard.h"
#include "registrar/table.h"

namespace jackfield::sip::registrar {

/// A line for each binding of the users whose names begin so, sorted: user, contact, for how long, flow.
std::string list(const Core& core, const Table& table, std::string_view beginning);

/// Text for people, lines ended by CRLF. `aor`: a user's name, also as user@domain or sip:user@domain.
std::string explain(const Core& core, const guard::Guard& guard, const Table& table, std::string_view aor);

}  // namespace jackfield::sip::registrar
