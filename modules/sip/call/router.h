// The routing of legs: of a caller's, and of one that was begun here and goes on as a caller once its far end has answered.
#pragma once

#include <memory>

#include "call/services.h"

namespace jackfield::sip::call {

/// `message` is the call.preroute of the leg, complete.
Task<> route_call(std::weak_ptr<Services> services, LegNumber leg, BusMessage startup, BusMessage message);

/// Of an OutgoingLeg that goes on as a caller. `message` is its call.route, or its call.execute where the target is known.
Task<> route_onward(std::weak_ptr<Services> services, LegNumber leg, BusMessage message);

}  // namespace jackfield::sip::call
