// Who has a port that we wanted, for the message a person reads when a listener cannot open.
#pragma once

#include <string>

#include "stack/flow.h"

namespace jackfield::sip::stack {

/// `kamailio (pid 812)`; empty where the system does not tell.
std::string port_owner(TransportKind kind, const net::Address& address);

}  // namespace jackfield::sip::stack
