// What an INVITE is on the bus (COMPAT §13: the parameters of chan.startup and call.preroute).
#pragma once

#include <string>
#include <string_view>

#include "call/services.h"

namespace jackfield::sip::call {

/// Who calls whom, as an INVITE says.
struct Parties {
  std::string caller, callername, called;
  explicit Parties(const Message& invite);
};

/// A display name as it is meant: what stood in quotes without their backslashes.
std::string without_escapes(std::string_view display);

/// Adds parties, source, URIs, sip_* headers and the session description, and what D2 found out about the sender.
void describe_invite(BusMessage& message, const Core& core, const Message& invite, const stack::FlowId& flow, const Sender& sender,
                     const Parties& parties);

/// `sip_` and the header's name in lower case, for every header that says something beyond the message's own way. Values of
/// repeated headers are joined with commas. Who somebody is passes only when the sender is `believed` (D6).
void copy_headers(BusMessage& to, const Message& from, bool believed);

}  // namespace jackfield::sip::call
