// Accounts in a database (COMPAT §5): a query at the first engine.timer and another one each `expires` give rows, each of which becomes a
// user.login with its columns; what becomes of an account is written back on user.notify. Engine thread only.
#pragma once

#include "users.h"

#include <map>
#include <memory>
#include <string>

namespace jackfield::register_module {

class Accounts {
 public:
  explicit Accounts(SharedPtr shared) : shared_(std::move(shared)), known_(std::make_shared<Known>()) {}

  /// A second has passed.
  void engine_timer();
  Verdict user_notify(const Message& message) const;
  /// `,acc(proto)=bool` of each account there is, for the status line.
  std::string status() const;

 private:
  struct State {
    std::string protocol;
    bool online = false;
    bool ended = false;  ///< logged out; what becomes of that is still to be told
  };
  /// What the queries have named so far. Shared with the question that is under way.
  struct Known {
    std::map<std::string, State, std::less<>> accounts;
    bool begun = false;   ///< the initquery was answered
    bool asking = false;
  };
  static Task<> ask(SharedPtr shared, std::shared_ptr<const RegisterSettings> settings, std::shared_ptr<Known> known, bool init);
  static Task<> write_status(SharedPtr shared, std::shared_ptr<const RegisterSettings> settings, std::string account, bool online);
  static void log_in(Engine& engine, Known& known, const messages::DatabaseRows& rows);

  SharedPtr shared_;
  std::shared_ptr<Known> known_;
  MonoTime next_{};
};

}  // namespace jackfield::register_module
