// The two ends of every request that the bus decides: what messages say about where it came from, and the answer to it, whether
// it was decided at once or waits in a transaction. Engine thread.
#pragma once

#include <jackfield/message.h>

#include <string>
#include <string_view>

#include "core.h"
#include "sip/writer.h"

namespace jackfield::sip {

/// Adds ip_host, ip_port, ip_transport, address, listener, connection_id and connection_reliable, as COMPAT §13 has them, to a
/// message that has none of them yet but the address.
void set_source(jackfield::Message& message, const Core& core, const stack::FlowId& flow);

/// What `connection_id` is for a flow: a name of its own for each connection, the listener's for datagrams.
std::string connection_id(const Core& core, const stack::FlowId& flow);

/// Whether an answer without a transaction is kept for retransmissions of its request.
enum class Keep : bool { no, yes };

/// Answers within `transaction`, or without one when it is none.
void answer(Core& core, const stack::IncomingRequest& request, stack::ServerTransactionId transaction, int code,
            std::string_view phrase = {}, const stack::Transactions::ExtraHeaders& extra = {}, Keep keep = Keep::no);

/// Writes a final answer that may not leave yet (Transactions::hold), or lets a refusal take its place.
stack::HeldAnswerId hold_answer(Core& core, const stack::IncomingRequest& request, int code, const stack::Transactions::ExtraHeaders& extra);
void refuse_held(Core& core, stack::HeldAnswerId held, int code, std::string_view phrase, const stack::Transactions::ExtraHeaders& extra = {});

}  // namespace jackfield::sip
