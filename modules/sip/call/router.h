// Takes a new call from chan.startup through call.preroute, call.route and call.execute to its other leg, or to a refusal. Each may
// wait as long as its handlers do; a caller who gave up meanwhile ends it, and a late verdict is dropped.
#pragma once

#include <memory>

#include "call/services.h"

namespace jackfield::sip::call {

/// `message` is the call.preroute of the leg, complete; it is renamed on its way, as handlers of Yate's expect.
Task<> route_call(std::weak_ptr<Services> services, LegNumber leg, BusMessage startup, BusMessage message);

}  // namespace jackfield::sip::call
