// Users and where they are registered (COMPAT §5, DECISIONS D1, D8): one function a message. Each may wait for the database; what it
// works with is held by the call, so that a reload or the end of the module changes nothing for those who wait. Engine thread only.
#pragma once

#include "database.h"

#include <jackfield/bus.h>

#include <memory>
#include <string>
#include <unordered_set>

namespace jackfield::register_module {

/// What all handlers share.
struct Shared {
  std::shared_ptr<Database> database;
  std::shared_ptr<const RegisterSettings> settings;
  /// A call record could not be written and [call.cdr] or [linetracker] is critical.
  bool critical = false;
  std::unordered_set<std::string> named;  ///< users without a password that the log has named
};
using SharedPtr = std::shared_ptr<Shared>;

Verdict user_auth(const SharedPtr& shared, Message& message);
Verdict user_register(const SharedPtr& shared, Message& message);
Verdict user_unregister(const SharedPtr& shared, Message& message);
Verdict user_bindings(const SharedPtr& shared, Message& message);

/// Of a message that the database did not answer: what `on_fail` says. Always false, so that other handlers are asked.
bool no_answer(Message& message, const HandlerSettings& handler);
/// The same while records cannot be written.
bool refuse_critical(Message& message);

}  // namespace jackfield::register_module
