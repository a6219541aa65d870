// How the two legs of a call change their session: call.update from one to the other, with operation request, notify, reject or
// cancel. What both kinds of exchange (INVITE, UPDATE) say to the peer leg.
#pragma once

#include <string_view>

#include "call/reasons.h"
#include "call/services.h"

namespace jackfield::sip::call {

/// The far end's answer, or its offer to an INVITE that had none.
void tell_peer(const Leg& leg, std::string_view sdp);
/// The far end refused what the peer leg asked for.
void tell_refusal(const Leg& leg, const DisconnectReason& reason);
/// Passes the far end's request on (operation `request`), or takes it back (`cancel`). `method` is how it came, and the best way to
/// send it. Where no leg takes it `unhandled` is called with the code for its error, or with `otherwise`; not when the leg is gone.
struct PeerRequest {
  std::string_view operation;
  Method method;
  std::string_view sdp = {};
  int otherwise;
};
using Unhandled = void (*)(Leg& leg, stack::ServerTransactionId request, int code);
void ask_peer(const Leg& leg, stack::ServerTransactionId request, const PeerRequest& what, Unhandled unhandled);

/// The answer to the far end's request that an operation `reject` of the peer leg means.
FinalAnswer refusal_in(const BusMessage& reject);

/// RFC 3261 §21.4.26: a peer leg that cannot take the session at all.
inline constexpr int kNotAcceptable = 488;

}  // namespace jackfield::sip::call
