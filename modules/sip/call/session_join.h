// Two answered legs that were connected after each had agreed on a session with somebody else: after a transfer, a pickup, or a
// script's chan.connect. One far end is asked for an offer, the other one answers it (RFC 3725 §4, RFC 5589 §7). No state of its own:
// a leg knows whose session it has.
#pragma once

#include "call/services.h"

namespace jackfield::sip::call {

/// The two have agreed on a session with each other, or are about to.
void pair(Leg& one, Leg& other);

/// Begins when `leg` and its peer are both answered and have no session with each other; a little later where one of them is busy.
void join_sessions(Leg& leg);

/// call.answered for a leg that is answered already: its new peer's description is offered to it. False: not now; join_sessions
/// follows once it is idle.
bool join_answer(Leg& leg, Leg& by, std::string_view description);

/// A call.update `notify` for a leg that asked nothing. What its far end has not heard yet is offered to it, once for each join.
bool offer_news(Leg& leg, BusMessage& notify);

}  // namespace jackfield::sip::call
