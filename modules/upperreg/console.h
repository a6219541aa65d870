// What people ask a running server: engine.status, engine.help, and the command upperreg.
#pragma once

#include "core.h"
#include "lines.h"
#include "refresher.h"

#include <string>
#include <string_view>

namespace jackfield::upperreg {

class Console {
 public:
  Console(std::shared_ptr<Core> core, Lines& lines, Refresher& refresher) : core_(std::move(core)), lines_(lines), refresher_(refresher) {}

  Verdict engine_status(Message& message) const;
  Verdict engine_help(Message& message) const;
  Verdict engine_command(Message& message);

 private:
  struct Command;
  static const Command kCommands[5];

  bool status(std::string& out, std::string_view name);
  bool list(std::string& out, std::string_view name);
  bool show(std::string& out, std::string_view name);
  bool resync(std::string& out, std::string_view name);
  bool drop(std::string& out, std::string_view name);
  void complete(Message& message) const;
  std::vector<const Aor*> sorted() const;

  std::shared_ptr<Core> core_;
  Lines& lines_;
  Refresher& refresher_;
};

}  // namespace jackfield::upperreg
