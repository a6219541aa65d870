// By what a message finds its transaction: RFC 3261 §17.1.3 and §17.2.3. Pure.
#pragma once

#include <string>
#include <string_view>

#include "sip/message.h"

namespace jackfield::sip::stack {

inline constexpr std::string_view kBranchCookie = "z9hG4bK";

/// Of a server transaction, written to `out`. Branch, sent-by and method where the branch has the cookie, else what
/// RFC 2543 compared. `method` is the request's own, or INVITE for an ACK or a CANCEL that looks for its INVITE.
/// `message` has passed check_mandatory().
void server_key(std::string& out, const Message& message, Method method, std::string_view method_text);
/// What the copies of one request share that came by different ways (§8.2.2.2 and the Request-URI, D13). False for a request
/// that cannot be merged: one inside a dialog, an ACK, a CANCEL.
bool merge_key(std::string& out, const Message& message);
/// Of a client transaction.
void client_key(std::string& out, std::string_view branch, Method method, std::string_view method_text);

}  // namespace jackfield::sip::stack
