// The payload of user.bindings: what a store kept, so that the registrar's table is whole again after a restart.
#pragma once

#include <jackfield/clock.h>

#include <string>
#include <utility>
#include <vector>

namespace jackfield::messages {

struct StoredBinding {
  std::string username;
  std::string data;       ///< `sip/<contact, rewritten to where it is reached>`, as in user.register
  WallTime expires = {};  ///< zero: never
  /// Everything else user.register said of it, as name and value pairs in that order.
  std::vector<std::pair<std::string, std::string>> parameters;
};

/// A broadcast reaches several stores: each attaches the payload when there is none yet, else appends to it.
struct StoredBindings {
  std::vector<StoredBinding> bindings;
};

}  // namespace jackfield::messages
