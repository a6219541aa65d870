// The store of the bindings that were carried to another server: user.register, user.unregister and user.bindings at a priority before
// the modules that have users, and the way from a number to those phones. Engine thread only.
#pragma once

#include "bindings/packed_binding.h"
#include "core.h"

#include <functional>

namespace jackfield::upperreg {

class Phones {
 public:
  /// `changed` is told of an AOR some of whose phones are gone.
  Phones(std::shared_ptr<Core> core, std::function<void(const std::string& name)> changed) : core_(std::move(core)), changed_(std::move(changed)) {}

  Verdict user_register(Message& message);
  Verdict user_unregister(Message& message);
  Verdict user_bindings(Message& message);
  /// call.route behind the rules: `called` is a user, or a bare number that one domain of Thru alone has (D21).
  Verdict call_route(Message& message);
  /// user.auth of a request without credentials: it comes from where a phone with relayed credentials registered, and names it (D20).
  Verdict user_auth(Message& message);

 private:
  Verdict once_durable();
  /// Empty: nobody, or more than one.
  std::string reached_by(std::string_view called) const;

  std::shared_ptr<Core> core_;
  std::function<void(const std::string&)> changed_;
  bindings::BindingPacker packer_;
};

}  // namespace jackfield::upperreg
