// The line of engine.status for the sip channel, as Yate's: totals, then a field for each leg.
#pragma once

#include <string>

#include <jackfield/message.h>

#include "call/calls.h"
#include "core.h"
#include "registrar/table.h"

namespace jackfield::sip {

/// Appends the line to the message's return value where it is asked for. True when this module was asked by name.
bool add_status(jackfield::Message& message, Core& core, const registrar::Table& bindings, const call::Calls& calls);

}  // namespace jackfield::sip
