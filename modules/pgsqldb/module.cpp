// Accounts on PostgreSQL servers. What a database module does is lib/database; how PostgreSQL is spoken to is Connection.
#include "connection.h"
#include "settings.h"

#include "database/accounts.h"
#include "database/direct.h"

#include <jackfield/module.h>

#include <algorithm>
#include <optional>

namespace jackfield::pgsqldb {
namespace {

struct PgsqlPlan : Plan {
  int priority = 100;
  std::vector<AccountSettings> accounts;
};

constexpr std::string_view kName = "pgsqldb";

class PgsqlModule final : public ModuleOf<PgsqlPlan> {
 public:
  CheckResult check(const Settings& settings) const override {
    auto plan = std::make_unique<PgsqlPlan>();
    CheckResult result;
    plan->priority = read_priority(settings);
    plan->accounts = read_accounts(settings, result.problems);
    if (!has_errors(result.problems)) result.plan = std::move(plan);
    return result;
  }

  /// A server that is not there is no reason not to start: it is asked again for ever.
  tl::expected<void, Problem> prepare_plan(Engine&, PgsqlPlan&) override { return {}; }

  void apply_plan(Engine& engine, std::unique_ptr<PgsqlPlan> plan) noexcept override {
    if (!accounts_) accounts_.emplace(engine, std::string(kName), sql::Dialect::postgresql, plan->priority);
    std::vector<database::AccountPlan> wanted;
    for (auto& account : plan->accounts) wanted.push_back(planned(engine, std::move(account)));
    accounts_->use(std::move(wanted));
  }

  Task<> drain() override { return accounts_->drain(); }
  void stop() override { accounts_.reset(); }

 private:
  static database::AccountPlan planned(Engine& engine, AccountSettings account) {
    auto& log = engine.log(kName);
    const auto doubts = std::make_shared<Doubts>();
    auto factory = [&log, doubts, servers = std::move(account.servers), timeout = account.options.timeout](database::Role role) {
      return std::unique_ptr<database::Connection>(
          std::make_unique<Connection>(log, ConnectionOptions{.servers = servers, .timeout = timeout, .role = role, .doubts = doubts}));
    };
    return {.options = std::move(account.options), .fingerprint = std::move(account.fingerprint), .factory = std::move(factory)};
  }

  std::optional<database::Accounts> accounts_;
};

std::unique_ptr<Module> make() { return std::make_unique<PgsqlModule>(); }

/// A connection for a command, which has no engine to log by.
class CommandConnection final : public database::Connection {
 public:
  explicit CommandConnection(ConnectionOptions options) : log_(std::string(kName)), connection_(log_, std::move(options)) {}
  tl::expected<std::string, std::string> open() override { return connection_.open(); }
  void close() noexcept override { connection_.close(); }
  std::optional<std::string> run(std::span<database::Request* const> batch, database::Delivery& delivery) override { return connection_.run(batch, delivery); }

 private:
  Logger log_;
  pgsqldb::Connection connection_;
};

tl::expected<std::unique_ptr<DirectDatabase>, std::string> open_database(const Settings& settings, std::string_view name, const std::filesystem::path&) {
  Problems problems;
  auto accounts = read_accounts(settings, problems);
  const auto account = std::ranges::find(accounts, name, [](const AccountSettings& one) -> const std::string& { return one.options.name; });
  if (account == accounts.end()) {
    const auto error = std::ranges::find(problems, Problem::Severity::error, &Problem::severity);
    if (settings.section(name) != nullptr && error != problems.end()) return tl::unexpected(error->text);
    return nullptr;
  }
  ConnectionOptions options{.servers = account->servers, .timeout = account->options.timeout, .role = database::Role::writer, .doubts = std::make_shared<Doubts>()};
  return database::open_direct(std::string(kName), sql::Dialect::postgresql, std::make_unique<CommandConnection>(std::move(options)), account->options.retry, account->options.timeout);
}

}  // namespace
}  // namespace jackfield::pgsqldb

JACKFIELD_MODULE(.name = "pgsqldb", .summary = "SQL on PostgreSQL", .requires_modules = {}, .keys = &jackfield::pgsqldb::kKeys,
                 .create = jackfield::pgsqldb::make, .commands = {}, .open_database = jackfield::pgsqldb::open_database);
