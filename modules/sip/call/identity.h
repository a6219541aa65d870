// Who calls, who diverted the call, and what the caller wants hidden: P-Asserted-Identity (RFC 3325), Remote-Party-ID, Diversion
// (RFC 5806), History-Info (RFC 7044) and Privacy (RFC 3323). Believed from trusted sources only (D6); on the way out the last hop
// before somebody who is not trusted hides what its user wants hidden. Pure.
#pragma once

#include <jackfield/message.h>

#include "call/own_headers.h"
#include "core.h"

namespace jackfield::sip::call {

/// A header that says who somebody is, on its sender's word.
bool is_asserted(HeaderId header);
bool is_believed(const Core& core, const Sender& sender);
/// Of a connection's servers.
bool is_believed(const Core& core, std::string_view line);
/// Of the far end of a flow that we call or that answers.
bool is_believed(const Core& core, const stack::FlowId& flow);

/// Adds privacy, and of a believed Diversion diverter, divertername, divert_reason, divert_privacy, divert_screen and diversion.
void describe_identity(jackfield::Message& message, const Message& invite, bool believed);

struct IdentityHeaders {
  OwnHeaders headers;
  bool anonymous = false;  ///< From and Contact name nobody
};
/// For the INVITE that a call.execute asks for: what came in and was believed passes, unless osip_ parameters say otherwise; the
/// diverter is told. `domain` is where numbers of ours are.
IdentityHeaders identity_headers(const jackfield::Message& execute, bool trusted, std::string_view domain);

}  // namespace jackfield::sip::call
