// The one table between texts on the bus (busy, noroute, …) and SIP codes (COMPAT §12), and what a final response or a Reason
// header says in those terms (D15). Pure.
#pragma once

#include <jackfield/channel.h>

#include <optional>
#include <string>
#include <string_view>

#include "sip/message.h"
#include "sip/writer.h"

namespace jackfield::sip::call {

/// The code for a text, or nothing when the table does not have it.
std::optional<int> code_of(std::string_view text);
/// The text for a final response code; for one that the table lacks, that of its class.
std::string_view text_of(int code);

/// Codes for texts the table lacks: refusing a call, or giving up one that is under way.
inline constexpr int kRefusedCode = 500;
inline constexpr int kDroppedCode = 487;

/// Parameters that carry the far side's own words from leg to leg: cause_sip, reason_sip, and cause_q.850, reason_q.850 from Reason
/// headers (RFC 3326, RFC 6432).
void read_reason_headers(const Message& message, DisconnectReason& reason);
/// What a message of the bus (call.drop) says of why a leg ends.
DisconnectReason reason_in(const jackfield::Message& message);

/// Whether the handlers of a routing message refused it, by its return value.
bool is_refusal(const jackfield::Message& message);
/// Why it leads nowhere: its `error`, else `text`, and the far side's own words where it has them.
DisconnectReason refusal(const jackfield::Message& message, std::string_view text);

/// What a leg that ended with this response tells its peer. A 503 is told as 500 (D15, RFC 3261 §16.7).
DisconnectReason from_response(const Message& response);

/// The far side's challenges, for a caller who answers them himself (D19): in parameters `challenge.N`, each a header as it came but
/// for auth-int.
void add_challenges(const Message& response, DisconnectReason& reason);
bool has_challenges(const DisconnectReason& reason);
void write_challenges(Writer& writer, const DisconnectReason& reason);

/// How a leg that is dropped answers an INVITE it has not answered yet.
struct FinalAnswer {
  int code;
  std::string phrase;  ///< empty: the standard one
};
/// A redirection is one while it says where to (calleduri).
/// A challenge is one while there is something to answer (challenge.N).
/// The other leg's own code while the text is still the one that code has (nobody changed it on the way); else the table's.
FinalAnswer final_answer(const DisconnectReason& reason, int unknown);

/// The values of Reason for BYE and CANCEL; for a final response `with_sip` is false: its own code says it. Empty: none to send.
std::string reason_header(const DisconnectReason& reason, bool with_sip);

/// The parameter, or empty.
std::string_view parameter(const DisconnectReason& reason, std::string_view name);
void set_parameter(DisconnectReason& reason, std::string_view name, std::string_view value);

}  // namespace jackfield::sip::call
