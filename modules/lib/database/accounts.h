// All accounts of a database module, and what it answers on the bus: `database` for an account of that name (handled also when
// the query failed; not handled for an unknown account) and `engine.status` in Yate's format. Engine thread only.
#pragma once

#include "database/account.h"

#include <jackfield/bus.h>
#include <jackfield/engine.h>

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace jackfield::database {

struct AccountPlan {
  AccountOptions options;
  /// All that makes this account what it is; an account whose plan has the same stays untouched on reload.
  std::string fingerprint;
  ConnectionFactory factory;
};

class Accounts {
 public:
  /// `module` is the module's name and the answer's `dbtype`.
  Accounts(Engine& engine, std::string module, sql::Dialect dialect);
  ~Accounts();

  /// Start and reload. An account that changed is replaced: the old one runs what it was asked, in peace, and ends.
  void use(std::vector<AccountPlan> plans);
  /// Until no question is without an answer.
  Task<> drain();
  void stop();

  Account* find(std::string_view name) const;

 private:
  struct Entry {
    std::string fingerprint;
    std::shared_ptr<Account> account;
  };

  Verdict database(Message& message);
  Task<bool> wait(Message& message, Task<Answer> answer) const;
  void put_answer(Message& message, Answer answer) const;
  Verdict refuse(Message& message, Failure failure, std::string text) const;
  Verdict engine_status(Message& message) const;
  /// A text is parsed once and kept; the oldest leave when there are too many.
  tl::expected<std::shared_ptr<const Query>, sql::QueryError> query(std::string_view text, bool with_values);
  void retire(std::shared_ptr<Account> account);

  Engine& engine_;
  std::string module_;
  sql::Dialect dialect_;
  std::unordered_map<std::string, Entry> accounts_;
  std::vector<std::shared_ptr<Account>> retiring_;
  std::unordered_map<std::string, std::shared_ptr<const Query>> queries_;
  std::vector<Bus::Subscription> handlers_;
  TimerSinkId sink_;
};

}  // namespace jackfield::database
