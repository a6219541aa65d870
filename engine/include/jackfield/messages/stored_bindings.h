// The payload of user.bindings: what a store kept, so that the registrar's table is whole again after a restart. A store that several
// servers share also gives it with each user.register and user.unregister of a user (D8).
#pragma once

#include <jackfield/clock.h>

#include <functional>
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
  using Visit = std::function<void(const StoredBinding&)>;

  std::vector<StoredBinding> bindings;
  /// What a store keeps by the hundred thousand it shows one by one instead of copying all: a function that calls its argument with
  /// each, valid for that call. It may be called in a later turn, and then shows nothing when the store is gone.
  std::vector<std::function<void(const Visit&)>> parts;

  void each(const Visit& visit) const {
    for (const StoredBinding& binding : bindings) visit(binding);
    for (const auto& part : parts) part(visit);
  }
};

}  // namespace jackfield::messages
