// call.execute of `sip/…` and `line/…`: finds where it leads, at once or after a question to the name servers, and calls there.
#pragma once

#include <jackfield/bus.h>

#include <memory>

#include "call/services.h"

namespace jackfield::sip::call {

/// Not handled, with error and reason, where there is no way.
Verdict begin_call(const std::shared_ptr<Services>& services, BusMessage& message);

}  // namespace jackfield::sip::call
