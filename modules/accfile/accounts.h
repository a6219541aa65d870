// The accounts in force: logs them in and out with user.login, at the start, on reload and on command. Engine thread only.
#pragma once

#include "account.h"
#include "settings.h"

#include <jackfield/bus.h>
#include <jackfield/engine.h>

#include <string>
#include <string_view>
#include <vector>

namespace jackfield::accfile {

class Accounts {
 public:
  explicit Accounts(Engine& engine) : engine_(engine), log_(engine.log("accfile")) {}

  /// The file as it is now. Before start() nothing is sent; afterwards what is new or changed is logged in, what is gone or no longer
  /// in force is logged out, and nobody else hears of it.
  void use(GeneralSettings general, AccountTable accounts);
  /// Logs all in.
  void start();

  Verdict engine_command(Message& message);
  Verdict engine_help(Message& message) const;
  Verdict engine_status(Message& message) const;
  Verdict user_notify(const Message& message);

  const AccountTable& all() const { return accounts_; }

 private:
  void send(const Account& account, std::string_view operation);
  void log_in_what_is_new(const AccountTable& before);
  bool command(std::string_view line, std::string& answer);
  std::string list() const;
  void complete(Message& message) const;

  Engine& engine_;
  Logger& log_;
  GeneralSettings general_;
  AccountTable accounts_;
  std::map<std::string, bool, std::less<>> online_;  ///< as user.notify told it
  bool started_ = false;
};

}  // namespace jackfield::accfile
