#include "users.h"

#include "bindings.h"
#include "rehearsal.h"
#include "rows.h"

#include <jackfield/messages/user.h>
#include <jackfield/settings.h>

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::register_module {
namespace param = messages::param;
namespace {

/// Users without a password whom the log names, each once.
constexpr std::size_t kNamedUsers = 100;
constexpr std::string_view kFailure = "failure";
/// Of user.unregister: unlike a store that knows nothing of a contact, one that could not remove it is no success to the phone.
constexpr long long kCouldNot = 500;
constexpr std::string_view kReplyHeader = "osip_", kContact = "contact";

/// NULL or nothing where the password is, and no hash: D1.
bool refuse_without_password(Shared& shared, Message& message) {
  const std::string username(message.get(param::kUsername));
  if (shared.named.size() < kNamedUsers && shared.named.insert(username).second) {
    shared.database->log().warning("event=no-password user={} reason=\"there is no password in the database, and without one nobody is let in\" "
                                   "hint=\"allow_empty_password=yes in [general] of register.conf is Yate's way\"",
                                   log_value(username));
  }
  message.set(param::kError, "forbidden").set(param::kReason, "This user has no password");
  message.set_retvalue("-");
  return true;
}

Task<bool> authenticate(SharedPtr shared, std::shared_ptr<const RegisterSettings> settings, Message& message) {
  const auto& handler = settings->auth;
  const Values values(shared->database->engine(), message);
  auto asking = Database::ask(shared->database, settings, &handler, &handler.query, values);
  const Answer answer = co_await std::move(asking);
  if (answer.failure == Answer::Failure::value) co_return false;  // nobody there has such a name
  if (!answer.good()) co_return no_answer(message, handler);
  if (answer.row_count() == 0) co_return false;
  const auto& rows = *answer.rows;
  if (!handler.result.empty() && !column_of(rows, handler.result)) {
    shared->database->log().error("event=no-column section={} column={} reason=\"the query gives no column of that name, which result= asks for\"", handler.section,
                                  log_value(handler.result));
    message.set(param::kError, kFailure);
    message.set_retvalue("-");
    co_return true;
  }
  const bool named = !message.get(param::kUsername).empty();
  set_parameters(message, columns_of(rows, 0, handler.result));
  const auto password = handler.result.empty() ? std::nullopt : cell(rows, 0, handler.result);
  message.set_retvalue(password.value_or(std::string_view()));
  const bool secret = !message.retvalue().empty() || !message.get(param::kHa1Md5).empty() || !message.get(param::kHa1Sha256).empty();
  // Without credentials the question was about the source: a row is the answer.
  if (secret || !named || settings->allow_empty_password) co_return true;
  co_return refuse_without_password(*shared, message);
}

/// Names a contact: while the database has it, a refresh changes nothing but its end. Without a binding: the beginning of all of the user's.
std::string contact_key(const Message& message, std::string_view account, bool whole_user = false) {
  messages::QueryValues values;
  for (const std::string_view name : {param::kUsername.name, param::kBinding.name, param::kData.name}) {
    values.values.emplace_back(name, message.get(name));
    if (whole_user) break;
  }
  return cache_key(kContact, account, values);
}

void remember(Database& database, const std::string& contact, const std::string& expires_at) {
  auto rows = std::make_shared<messages::DatabaseRows>();
  rows->columns.emplace_back(param::kExpires.name);
  rows->cells.emplace_back(expires_at);
  database.kept_contacts().keep(contact, std::move(rows), database.engine().clock().now());
}

/// D10 holds: what is granted is what the database has.
bool confirm(Database& database, const std::string& contact, Message& message) {
  const auto& clock = database.engine().clock();
  const auto rows = database.kept_contacts().find(contact, clock.now(), Duration::max());
  if (!rows) return false;
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(clock.wall().time_since_epoch()).count();
  const auto left = parse_integer(*rows->cells[0]).value_or(0) - now;
  if (left <= 0) return false;
  message.set(param::kExpires, std::min<long long>(left, message.number(param::kExpires)));
  database.answers_from_memory().add();
  return true;
}

Task<bool> keep(SharedPtr shared, std::shared_ptr<const RegisterSettings> settings, Message& message) {
  const auto& handler = settings->registration;
  auto& database = *shared->database;
  const Values values(database.engine(), message);
  const bool may_confirm = handler.on_fail == OnFail::cached;
  const auto account = account_of(handler, values);
  const auto contact = may_confirm ? contact_key(message, account) : std::string();
  Answer answer{.failure = Answer::Failure::away};
  if (!may_confirm || !database.is_away(account) || !confirm(database, contact, message)) {
    auto asking = Database::ask(shared->database, settings, &handler, &handler.query, values);
    answer = co_await std::move(asking);
    const bool gone = answer.failure == Answer::Failure::away || answer.failure == Answer::Failure::late;
    if (!answer.good() && !(gone && may_confirm && confirm(database, contact, message))) {
      if (handler.on_fail != OnFail::pass) message.set(param::kError, kFailure);
      co_return false;
    }
    if (answer.good() && answer.affected < 1 && answer.row_count() == 0) co_return false;
  }
  if (handler.max_contacts) message.set(param::kMaxContacts, static_cast<long long>(*handler.max_contacts));
  if (answer.row_count() > 0) {
    if (const auto most = cell(*answer.rows, 0, param::kMaxContacts.name)) message.set(param::kMaxContacts, *most);
    for (const auto& [name, value] : columns_of(*answer.rows, 0, {}))
      if (name.starts_with(kReplyHeader)) message.set(name, value);
  }
  if (!answer.good()) co_return true;  // confirmed
  if (may_confirm) {
    // D8: where it keeps one, the others of this user are there no more.
    if (message.number(param::kMaxContacts, 1) == 1) database.kept_contacts().forget(contact_key(message, account, true));
    remember(database, contact, values.find("expires_at").value_or(""));
  }
  if (!handler.shared) co_return true;
  auto reading = attach_shared(shared->database, settings, message);
  co_await std::move(reading);
  co_return true;
}

Task<bool> forget(SharedPtr shared, std::shared_ptr<const RegisterSettings> settings, Message& message) {
  const auto& handler = settings->unregister;
  auto& database = *shared->database;
  const Values values(database.engine(), message);
  auto asking = Database::ask(shared->database, settings, &handler, &handler.query, values);
  const Answer answer = co_await std::move(asking);
  // Whatever became of it, the database may not have it any more.
  if (!message.get(param::kUsername).empty() && settings->registration.on_fail == OnFail::cached) {
    const bool one = !message.get(param::kBinding).empty() && !message.get(param::kData).empty();
    database.kept_contacts().forget(contact_key(message, account_of(settings->registration, values), !one));
  }
  if (!answer.good() && handler.on_fail != OnFail::pass) message.set(param::kError, kFailure).set(param::kCode, kCouldNot);
  if (answer.good() && settings->registration.shared && !message.get(param::kUsername).empty()) {
    auto reading = attach_shared(shared->database, settings, message);
    co_await std::move(reading);
  }
  co_return false;  // other stores may know him, too
}

}  // namespace

bool no_answer(Message& message, const HandlerSettings& handler) {
  if (handler.on_fail == OnFail::pass) return false;
  message.set(param::kError, kFailure);
  message.set_retvalue("-");
  return false;
}

bool refuse_critical(Message& message) {
  message.set(param::kError, kFailure);
  return false;
}

Verdict user_auth(const SharedPtr& shared, Message& message) {
  if (!message.flag(param::kAuthRegister, true)) return false;
  const auto& handler = shared->settings->auth;
  if (keeps_out(shared->database->engine(), message, handler)) return false;
  // Before a challenge, user.auth names nobody; a query that only looks for a name needs not be asked.
  const Values values(shared->database->engine(), message);
  if (!handler.query.indirect() && values.about_nobody(handler.query)) return false;
  return authenticate(shared, shared->settings, message);
}

Verdict user_register(const SharedPtr& shared, Message& message) {
  if (!message.flag(param::kRegisterRegister, true)) return false;
  if (shared->critical) return refuse_critical(message);
  return keep(shared, shared->settings, message);
}

Verdict user_unregister(const SharedPtr& shared, Message& message) {
  if (!message.flag(param::kRegisterRegister, true)) return false;
  const Values values(shared->database->engine(), message);
  if (!shared->settings->unregister.query.indirect() && values.about_nobody(shared->settings->unregister.query)) return false;
  return forget(shared, shared->settings, message);
}

Verdict user_bindings(const SharedPtr& shared, Message& message) {
  if (!message.flag(param::kRegisterRegister, true) || keeps_out(shared->database->engine(), message, shared->settings->bindings)) return false;
  // sip says its realm with its first question. Hashes that `jackfield user` makes are for ours.
  const auto realm = message.get(param::kRealm);
  if (!realm.empty() && realm != shared->settings->realm && shared->settings->auth.enabled && shared->settings->auth.result.empty()) {
    shared->database->log().warning("event=other-realm realm={} ours={} reason=\"hashes that `jackfield user` makes let nobody in\" hint=\"set realm= in [general] of register.conf\"",
                                    log_value(realm), log_value(shared->settings->realm));
  }
  return tell_bindings(shared->database, shared->settings, message);
}

}  // namespace jackfield::register_module
