// What the database keeps of registrations, read back for sip (user.bindings; D8). Engine thread only.
#pragma once

#include "database.h"

#include <jackfield/task.h>

#include <memory>

namespace jackfield::register_module {

/// Answers user.bindings: of its user, or of all. Of all it is asked at the start, when the database may not be there yet: then it is
/// waited for, as long as one question may take.
Task<bool> tell_bindings(std::shared_ptr<Database> database, std::shared_ptr<const RegisterSettings> settings, Message& message);

/// For a store of several servers: attaches what it keeps of the message's user now, and says `shared`. When it cannot be read nothing is
/// attached.
Task<> attach_shared(std::shared_ptr<Database> database, std::shared_ptr<const RegisterSettings> settings, Message& message);

}  // namespace jackfield::register_module
