// All accounts of a database module, and what it answers on the bus: `database` for an account of that name (handled also when
// the query failed; not handled for an unknown account) and `engine.status` in Yate's format. Engine thread only.
#pragma once

#include "database/account.h"
#include "database/query_cache.h"

#include <jackfield/bus.h>
#include <jackfield/engine.h>

#include <functional>
#include <memory>
#include <string>
#include <map>
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
  Accounts(Engine& engine, std::string module, sql::Dialect dialect, int priority = 100);
  ~Accounts();

  /// Start and reload. An account that changed is replaced: the old one runs what it was asked, in peace, and ends.
  void use(std::vector<AccountPlan> plans);
  /// Until no question is without an answer.
  Task<> drain() { return wait_until_quiet(engine_, table_); }
  void stop();

  Account* find(std::string_view name) const;

 private:
  struct Entry {
    std::string fingerprint;
    std::shared_ptr<Account> account;
  };
  /// Shared with tasks that outlive stop().
  struct Table {
    std::map<std::string, Entry, std::less<>> accounts;
    std::vector<std::shared_ptr<Account>> retiring;
    bool busy() const;
  };
  static Task<> end_in_peace(Engine& engine, std::shared_ptr<Table> table, std::shared_ptr<Account> account);
  static Task<> wait_until_quiet(Engine& engine, std::shared_ptr<Table> table);
  Verdict database(Message& message);
  Verdict engine_status(Message& message) const;

  Engine& engine_;
  const std::string module_;
  const std::shared_ptr<Table> table_;
  QueryCache queries_;
  std::vector<Bus::Subscription> handlers_;
};

}  // namespace jackfield::database
