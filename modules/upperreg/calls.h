// Calls between the phones here and the servers they are registered at: from A to the contact it was given, and to A under the caller's
// identity and credentials there. Engine thread only.
#pragma once

#include "core.h"
#include "lines.h"

namespace jackfield::upperreg {

/// call.route before the rules: `called`, a token that came from its own server, becomes the user it stands for.
Verdict take_token(const Core& core, const Lines& lines, Message& message);
/// user.auth of what comes from where a connection of ours leads: a call to a contact that was given to that server is its own, all else
/// a stranger's. One server may have several connections: the token says by which it came in.
Verdict admit_token(const Core& core, const Lines& lines, Message& message);
/// call.execute before sip's: `upper/NUMBER` is a call to the caller's own server; a call that leaves by one of our connections carries
/// what its caller is there (BR-8).
Verdict identify(std::shared_ptr<Core> core, const Lines& lines, Message& message);

}  // namespace jackfield::upperreg
