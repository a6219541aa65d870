// chan.control for a leg: new time limits, and what scripts ask about its dialog (COMPAT §13). Engine thread only.
#pragma once

#include "call/services.h"

namespace jackfield::sip::call {

/// False when it names no leg of ours.
bool control(const Services& services, BusMessage& message);

}  // namespace jackfield::sip::call
