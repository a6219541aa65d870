// Answers the bus for the users of regfile.conf: who they are, where they are reached, and how calls to and from them go.
// One function per message; module.cpp installs them. Engine thread only.
#pragma once

#include "settings.h"
#include "bindings/store.h"
#include "users.h"

#include <jackfield/bus.h>
#include <jackfield/engine.h>

#include <memory>
#include <string_view>

namespace jackfield::regfile {

using bindings::Binding;
using bindings::Store;

class Regfile {
 public:
  Regfile(Engine& engine, GeneralSettings general, UserTable users, std::unique_ptr<Store> store);

  /// What a reload may change: the users and the policies. Bindings of users that are gone are dropped.
  void use(GeneralSettings general, UserTable users);

  Verdict user_auth(Message& message);
  Verdict user_register(Message& message);
  Verdict user_unregister(Message& message);
  Verdict user_bindings(Message& message);
  Verdict call_route(Message& message);
  Verdict engine_status(Message& message);
  Verdict engine_command(Message& message);

  Store& store() { return *store_; }

 private:
  bool known(std::string_view username) const { return general_.autocreate || users_.find(username) != nullptr; }
  void drop_unknown();
  /// Sets the user's own parameters, `${name}` replaced by the message's parameters.
  void set_parameters(Message& message, const User& user) const;
  void warn_of_realm(std::string_view realm);
  /// Handled, once what was changed is safe.
  Verdict once_durable();
  Task<bool> export_command(Message& message);

  /// Where a call to `called` goes: the groups that ring one after another, each all at once.
  struct Target {
    std::size_t group;
    const Binding* binding;
  };
  std::vector<Target> targets(std::string_view called, bool& offline) const;
  void add_targets(std::string_view username, std::vector<Target>& targets) const;

  Engine& engine_;
  Logger& log_;
  GeneralSettings general_;
  UserTable users_;
  std::shared_ptr<Store> store_;  ///< shared only so that what user.bindings lends notices its end
  bindings::BindingPacker packer_;
  std::string checked_realm_;  ///< the realm that the stored hashes were last compared with
};

}  // namespace jackfield::regfile
