// The other sides that register here: who they are, and where they are reached. What users of regfile.conf are to it, the users of
// inbound connections are here. Engine thread only.
#pragma once

#include "bindings/store.h"
#include "connections.h"

#include <jackfield/bus.h>
#include <jackfield/engine.h>

#include <memory>
#include <string>

namespace jackfield::accfile {

class Inbound {
 public:
  Inbound(Engine& engine, const Connections& connections, std::unique_ptr<bindings::Store> store);

  Verdict user_auth(Message& message);
  Verdict user_register(Message& message);
  Verdict user_unregister(Message& message);
  Verdict user_bindings(Message& message);

  const bindings::Store& store() const { return *store_; }
  bindings::Store& store() { return *store_; }
  /// A connection whose hashes are for another realm is named in the log: its other side cannot register (D1).
  void check_realm(const Connection& connection) const;
  /// Bindings whose connection is no more are dropped.
  void drop_unknown();

 private:
  Verdict once_durable();

  Logger& log_;
  const Connections& connections_;
  std::shared_ptr<bindings::Store> store_;  ///< shared only so that what user.bindings lends notices its end
  bindings::BindingPacker packer_;
  Engine& engine_;
  std::string realm_;  ///< sip's, as it said with its first question
};

}  // namespace jackfield::accfile
