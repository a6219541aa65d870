#include "database/accounts.h"

#include "database/applied.h"
#include "database/values.h"

#include <jackfield/messages/database.h>
#include <jackfield/messages/engine.h>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace jackfield::database {
namespace param = messages::param;
namespace {

using namespace std::chrono_literals;

constexpr int kStatusPriority = 110;
constexpr Duration kLookEvery = 10ms;

void put_answer(Message& message, Answer answer) {
  message.set(param::kRows, static_cast<long long>(answer.row_count));
  message.set(param::kColumns, static_cast<long long>(answer.column_count));
  message.set(param::kAffected, static_cast<long long>(answer.affected));
  message.detach();
  if (answer.failure == Failure::none) {
    if (answer.rows) message.attach(std::move(answer.rows));
    return;
  }
  message.set(param::kError, answer.error);
  message.set(param::kFailure, failure_name(answer.failure));
}

bool refuse(Message& message, Failure failure, std::string text) {
  Answer answer;
  answer.failure = failure;
  answer.error = std::move(text);
  put_answer(message, std::move(answer));
  return true;
}

Task<bool> answer_later(Message& message, Task<Answer> asked) {
  auto answer = co_await std::move(asked);
  put_answer(message, std::move(answer));
  co_return true;
}

Task<> look_later(Engine& engine) {
  Pendings pendings(engine.timers());
  auto never = pendings.open<bool>(kLookEvery);
  auto waiting = never.wait();
  (void)co_await std::move(waiting);
}

}  // namespace

Accounts::Accounts(Engine& engine, std::string module, sql::Dialect dialect, int priority)
    : engine_(engine), module_(std::move(module)), table_(std::make_shared<Table>()), queries_(dialect) {
  handlers_.push_back(engine_.bus().install({.message = messages::kDatabase, .priority = priority, .track = module_},
                                            [this](Message& message) { return database(message); }));
  handlers_.push_back(engine_.bus().install({.message = messages::kEngineStatus, .priority = kStatusPriority, .track = module_},
                                            [this](Message& message) { return engine_status(message); }));
}

Accounts::~Accounts() { stop(); }

void Accounts::use(std::vector<AccountPlan> plans) {
  auto& accounts = table_->accounts;
  std::map<std::string, Entry, std::less<>> wanted;
  for (auto& plan : plans) {
    const auto name = plan.options.name;
    const auto found = accounts.find(name);
    if (found != accounts.end() && found->second.fingerprint == plan.fingerprint) {
      wanted.emplace(name, std::move(found->second));
      accounts.erase(found);
    } else {
      auto account = std::make_shared<Account>(engine_, module_, std::move(plan.options), std::move(plan.factory));
      wanted.emplace(name, Entry{std::move(plan.fingerprint), std::move(account)});
    }
  }
  for (auto& [name, gone] : std::exchange(accounts, std::move(wanted))) {
    table_->retiring.push_back(gone.account);
    engine_.spawn(fmt::format("end account {}", name), end_in_peace(engine_, table_, std::move(gone.account)));
  }
}

bool Accounts::Table::busy() const {
  return !retiring.empty() || std::ranges::any_of(accounts, [](const auto& entry) { return entry.second.account->in_flight() > 0; });
}

/// An account that was replaced answers what it was asked, and ends.
Task<> Accounts::end_in_peace(Engine& engine, std::shared_ptr<Table> table, std::shared_ptr<Account> account) {
  while (account->in_flight() > 0) {
    auto later = look_later(engine);
    co_await std::move(later);
  }
  account->stop();
  std::erase(table->retiring, account);
}

Task<> Accounts::wait_until_quiet(Engine& engine, std::shared_ptr<Table> table) {
  while (table->busy()) {
    auto later = look_later(engine);
    co_await std::move(later);
  }
}

void Accounts::stop() {
  handlers_.clear();
  for (const auto& [name, entry] : table_->accounts) entry.account->stop();
  for (const auto& account : table_->retiring) account->stop();
  table_->accounts.clear();
  table_->retiring.clear();
}

Account* Accounts::find(std::string_view name) const {
  const auto found = table_->accounts.find(name);
  return found == table_->accounts.end() ? nullptr : found->second.account.get();
}

Verdict Accounts::database(Message& message) {
  Account* const account = find(message.get(param::kAccount));
  if (account == nullptr) return false;
  message.set(param::kDbtype, module_);
  message.erase(param::kError);
  message.erase(param::kFailure);
  const auto text = message.get(param::kQuery);
  // As Yate: whoever asks nothing learns that the account is there.
  if (text.empty()) return true;

  const auto* given = message.payload<messages::QueryValues>();
  auto query = given != nullptr ? queries_.parsed(text) : queries_.plain(text);
  if (!query) return refuse(message, Failure::query, std::move(query.error().text));
  if ((*query)->text.statements() == 0) return refuse(message, Failure::query, "the query is empty");
  const auto key = message.get(param::kIdempotencyKey);
  if (key.size() > kMaxIdempotencyKey) {
    return refuse(message, Failure::value, fmt::format("idempotency_key has {} bytes; {} are allowed", key.size(), kMaxIdempotencyKey));
  }
  std::vector<sql::Value> values;
  if (given != nullptr) values_of(*given, (*query)->text.names(), values);
  const Question question{.query = std::move(*query),
                          .values = values,
                          .wants_rows = message.flag(param::kResults, true),
                          .idempotency_key = key,
                          .deadline = Duration(std::max(0LL, message.number(param::kDeadline)))};
  return answer_later(message, account->ask(question));
}

Verdict Accounts::engine_status(Message& message) const {
  const auto module = message.get(param::kModule);
  if (!module.empty() && module != module_ && module != "database") return false;
  std::size_t working = 0;
  std::string lines;
  const bool details = message.flag(param::kDetails, true);
  for (const auto& [name, entry] : table_->accounts) {
    const auto state = entry.account->state();
    if (state != Account::State::away) ++working;
    if (!details) continue;
    const auto counts = entry.account->statistics();
    lines += fmt::format("{}{}={}|{}|{}|{:.3f}|{}|{}|{}", lines.empty() ? ';' : ',', name, counts.total, counts.failed, counts.errors, counts.average_ms(),
                         state_name(state), counts.connections, counts.waiting);
  }
  message.set_retvalue(fmt::format("{}name={},type=database,format=Total|Failed|Errors|AvgExecTime|State|Connections|Waiting;conns={},failed={}{}\r\n",
                                   message.retvalue(), module_, working, table_->accounts.size() - working, lines));
  return module == module_;
}

}  // namespace jackfield::database
