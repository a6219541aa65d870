// Takes a call through call.route and call.execute to its other leg, or to a refusal: a new one, from chan.startup and call.preroute
// on, or one that was begun here and whose first party has answered. Each message may wait as long as its handlers do; a party that
// gave up meanwhile ends it, and a late verdict is dropped.
#pragma once

#include <memory>

#include "call/services.h"

namespace jackfield::sip::call {

/// `message` is the call.preroute of the leg, complete; it is renamed on its way, as handlers of Yate's expect.
Task<> route_call(std::weak_ptr<Services> services, LegNumber leg, BusMessage startup, BusMessage message);

/// Of an OutgoingLeg that goes on as a caller. `message` is its call.route, or its call.execute where the target is known.
Task<> route_onward(std::weak_ptr<Services> services, LegNumber leg, BusMessage message);

}  // namespace jackfield::sip::call
