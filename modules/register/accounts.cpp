#include "accounts.h"

#include "rows.h"

#include <jackfield/messages/engine.h>
#include <jackfield/messages/user.h>

#include <fmt/format.h>

namespace jackfield::register_module {
namespace param = messages::param;
namespace {

constexpr std::string_view kLogout = "logout", kOnline = "online", kOffline = "offline";

}  // namespace

void Accounts::engine_timer() {
  const auto& settings = shared_->settings;
  const auto now = shared_->database->engine().clock().now();
  // The initquery is asked again, each second, until the database is there: accounts must not wait for a restart.
  if (known_->asking || (known_->begun && now < next_)) return;
  next_ = now + settings->sweep;
  const bool init = !known_->begun && !settings->accounts.init.empty();
  if (!init && settings->accounts.query.empty()) return;
  known_->asking = true;
  shared_->database->engine().spawn("register.accounts", ask(shared_, settings, known_, init));
}

Task<> Accounts::ask(SharedPtr shared, std::shared_ptr<const RegisterSettings> settings, std::shared_ptr<Known> known, bool init) {
  const Message nobody(messages::kEngineTimer);
  const Values values(shared->database->engine(), nobody);
  const Query* query = init ? &settings->accounts.init : &settings->accounts.query;
  auto asking = Database::ask(shared->database, settings, &settings->accounts, query, values);
  const Answer answer = co_await std::move(asking);
  known->asking = false;
  if (answer.good() && answer.rows) log_in(shared->database->engine(), *known, *answer.rows);
  // A query that the database refuses will be refused again.
  if (init) known->begun = answer.failure != Answer::Failure::away && answer.failure != Answer::Failure::late;
  else known->begun = true;
}

void Accounts::log_in(Engine& engine, Known& known, const messages::DatabaseRows& rows) {
  for (std::size_t row = 0; row < rows.size(); ++row) {
    Message login(messages::kUserLogin.name, engine.clock().wall());
    set_parameters(login, columns_of(rows, row, {}));
    const std::string name(login.get(param::kAccount));
    if (name.empty()) continue;  // a row of something else, such as an UPDATE that tells what it did
    if (login.get(param::kOperation) != kLogout) {
      auto& state = known.accounts[name];
      state.protocol = login.get(param::kProtocol, "sip");
      state.ended = false;
    } else if (const auto found = known.accounts.find(name); found != known.accounts.end()) {
      found->second.ended = true;
    }
    engine.bus().enqueue(std::move(login));
  }
}

Verdict Accounts::user_notify(const Message& message) const {
  const auto found = known_->accounts.find(message.get(param::kAccount));
  if (found == known_->accounts.end()) return false;
  const bool online = message.flag(param::kRegistered);
  found->second.online = online;
  if (!shared_->settings->accounts_status.empty())
    shared_->database->engine().spawn("register.account_status", write_status(shared_, shared_->settings, found->first, online));
  if (found->second.ended && !online) known_->accounts.erase(found);
  return false;
}

Task<> Accounts::write_status(SharedPtr shared, std::shared_ptr<const RegisterSettings> settings, std::string account, bool online) {
  Message about(messages::kUserNotify.name, shared->database->engine().clock().wall());
  about.set(param::kAccount, account).set_flag(param::kRegistered, online);
  Values values(shared->database->engine(), about);
  values.also(param::kInternalaccount.name, account).also(param::kStatus.name, online ? kOnline : kOffline);
  auto asking = Database::ask(shared->database, settings, &settings->accounts, &settings->accounts_status, values);
  const Answer answer = co_await std::move(asking);  // a failure was complained about
}

std::string Accounts::status() const {
  std::string out;
  for (const auto& [name, state] : known_->accounts)
    if (!state.ended) out += fmt::format(",{}({})={}", name, state.protocol, state.online);
  return out;
}

}  // namespace jackfield::register_module
