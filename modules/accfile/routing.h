// Where calls go that have to do with connections: those that come in by one with an owner, those whose number leaves by one, and those
// that leave by one at which the other side has registered. One function a message; module.cpp installs them. Engine thread only.
#pragma once

#include "bindings/store.h"
#include "connections.h"

#include <jackfield/bus.h>

namespace jackfield::accfile {

/// call.route, before the users are asked: what came in by a connection with an owner is for the owner's phones (SP-7).
bool ring_owner(const Connections& connections, Message& message);
/// call.route, when neither users nor rules know the number: the connection whose pattern fits (SP-14).
bool leave_by_pattern(const Connections& connections, Message& message);
/// call.execute and msg.execute: `line/NUMBER` by an inbound connection becomes a call to the contacts that are registered there, a fork where they
/// are several; the number stays the Request-URI's user.
bool find_contact(const Connections& connections, const bindings::Store& store, Message& message);

}  // namespace jackfield::accfile
