// The bus side of a binding: user.register and user.unregister made from it, and bindings made from what a store gives back
// (user.bindings).
#pragma once

#include <jackfield/message.h>
#include <jackfield/messages/stored_bindings.h>

#include <string_view>

#include "core.h"
#include "registrar/binding.h"

namespace jackfield::sip::registrar {

/// `data` on the bus is a call's target: the driver's prefix, then the URI.
inline constexpr std::string_view kTargetPrefix = "sip/";

/// What a binding says by itself: enough to enter it again.
jackfield::Message register_message(const Core& core, const Binding& binding);
/// Adds what only the request knows: who, with what, to which number, and what user.auth said of the user.
void add_request(jackfield::Message& message, const Message& request, const Sender& sender);
/// Of one binding, or with an empty key of all the user's. `binding` may be null: it is not in the table.
jackfield::Message unregister_message(const Core& core, std::string_view username, std::string_view key, const Binding* binding,
                                      std::string_view reason);

/// As a store tells of it, without a flow: to be listed. Null when it has expired or makes no sense.
Binding::Ptr read_stored(const Core& core, const messages::StoredBinding& stored);
/// True for one that another server keeps in the same store (D8): its flows are not ours.
bool is_elsewhere(const Core& core, const messages::StoredBinding& stored);
/// To be entered in the table. Null also when it came over a connection or is another server's.
Binding::Ptr restore(const Core& core, const messages::StoredBinding& stored);

}  // namespace jackfield::sip::registrar
