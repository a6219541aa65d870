// Calls by way of the database: call.preroute and call.route (COMPAT §5, DECISIONS D11). Engine thread only.
#pragma once

#include "fallback.h"
#include "users.h"

#include <jackfield/bus.h>

namespace jackfield::register_module {

Verdict call_preroute(const SharedPtr& shared, Message& message);
/// What further rows are kept in `fallback` for, where they are to be tried one after another.
Verdict call_route(const SharedPtr& shared, const std::shared_ptr<Fallback>& fallback, Message& message);

}  // namespace jackfield::register_module
