// What people ask a running server about its connections: `connection list|show NAME|register NAME|unregister NAME`, `status sip
// accounts` (COMPAT §6). Engine thread.
#pragma once

#include <jackfield/bus.h>

#include <string>
#include <vector>

#include "line/table.h"

namespace jackfield::sip::line {

class Commands {
 public:
  /// Both outlive it.
  Commands(Engine& engine, const Table& table);

 private:
  bool command(jackfield::Message& message);
  bool complete(jackfield::Message& message) const;
  bool help(jackfield::Message& message) const;
  bool status(jackfield::Message& message) const;
  std::string list() const;
  static std::string show(const Connection& connection);

  const Table& table_;
  std::vector<Bus::Subscription> handlers_;
};

}  // namespace jackfield::sip::line
