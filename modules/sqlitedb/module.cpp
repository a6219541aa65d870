// SQLite databases behind the message `database`.
#include "settings.h"

#include "database/accounts.h"
#include "database/direct.h"

#include <jackfield/module.h>

#include <sqlite3.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace jackfield::sqlitedb {
namespace {

constexpr std::string_view kName = "sqlitedb";

struct SqlitePlan : Plan {
  std::vector<AccountSettings> accounts;
  int priority = 0;
  std::filesystem::path config_dir;
  std::vector<database::AccountPlan> plans;
};

class SqliteModule final : public ModuleOf<SqlitePlan> {
 public:
  CheckResult check(const Settings& settings) const override {
    auto plan = std::make_unique<SqlitePlan>();
    plan->accounts = read_accounts(settings);
    plan->priority = read_priority(settings);
    plan->config_dir = std::filesystem::path(settings.file()).parent_path();
    return {std::move(plan), {}};
  }

  tl::expected<void, Problem> prepare_plan(Engine& engine, SqlitePlan& plan) override {
    for (const auto& account : plan.accounts) {
      auto connection = connection_settings(account, engine.state_dir(), plan.config_dir);
      if (!connection) return tl::unexpected(std::move(connection.error()));
      plan.plans.push_back(plan_of(account, std::move(*connection)));
    }
    return {};
  }

  /// A database that cannot be opened is no reason not to start: it is opened as soon as it can be.
  void apply_plan(Engine& engine, std::unique_ptr<SqlitePlan> plan) noexcept override {
    if (!accounts_) accounts_.emplace(engine, std::string(kName), sql::Dialect::sqlite, plan->priority);
    accounts_->use(std::move(plan->plans));
  }

  Task<> drain() override { return accounts_->drain(); }
  void stop() override { accounts_.reset(); }

 private:
  std::optional<database::Accounts> accounts_;
};

std::unique_ptr<Module> make() {
  // Nobody reads SQLite's count of its memory, for which every allocation takes a lock. Refused once SQLite is in use, as when the
  // module is loaded again: then it is so already.
  (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  return std::make_unique<SqliteModule>();
}

tl::expected<std::unique_ptr<DirectDatabase>, std::string> open_database(const Settings& settings, std::string_view name,
                                                                         const std::filesystem::path& state_dir) {
  const auto accounts = read_accounts(settings);
  const auto account = std::ranges::find(accounts, name, [](const AccountSettings& one) -> const std::string& { return one.options.name; });
  if (account == accounts.end()) return nullptr;
  auto connection = connection_settings(*account, state_dir, std::filesystem::path(settings.file()).parent_path());
  if (!connection) return tl::unexpected(std::move(connection.error().text));
  return database::open_direct(std::string(kName), sql::Dialect::sqlite, std::make_unique<SqliteConnection>(std::move(*connection), database::Role::any),
                               account->options.retry, account->options.timeout);
}

}  // namespace
}  // namespace jackfield::sqlitedb

JACKFIELD_MODULE(.name = "sqlitedb", .summary = "SQLite databases", .requires_modules = {}, .keys = &jackfield::sqlitedb::kKeys,
                 .create = jackfield::sqlitedb::make, .commands = {}, .open_database = jackfield::sqlitedb::open_database);
