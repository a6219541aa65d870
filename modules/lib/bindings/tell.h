// A store's answer to user.bindings. Engine thread only.
#pragma once

#include "bindings/store.h"

#include <jackfield/message.h>

namespace jackfield::bindings {

/// Adds what the store keeps, of the user the message names or of all, to the message's payload. Always true.
bool tell(Message& user_bindings, const std::shared_ptr<const Store>& store);

/// The q a phone registered with (RFC 3261 §20.10), in thousandths; 1000 when it said none.
int preference(const Binding& binding);

}  // namespace jackfield::bindings
