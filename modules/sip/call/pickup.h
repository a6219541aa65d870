// An INVITE that takes another call's place (Replaces, RFC 3891): a ringing call is picked up, an answered one taken over. Owned by
// nobody: the new leg and the one it replaces know all there is to know. Engine thread only.
#pragma once

#include "call/incoming_leg.h"
#include "call/services.h"

namespace jackfield::sip::call {

/// The leg an INVITE with Replaces is to replace.
struct Replaced {
  LegNumber leg = 0;
  int refused = 0;  ///< the code to refuse the INVITE with, when there is none (RFC 3891 §3)
};
Replaced find_replaced(const Services& services, const Message& invite, const Sender& sender);

/// Connects `leg`, just made and begun on the bus, to whoever `replaced` is connected to; that one ends.
void take_place(Services& services, IncomingLeg& leg, Leg& replaced, std::string_view description);

}  // namespace jackfield::sip::call
