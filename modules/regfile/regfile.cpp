#include "regfile.h"

#include "bindings/tell.h"

#include <jackfield/messages/user.h>
#include <jackfield/settings.h>

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::regfile {
namespace param = messages::param;
namespace {

/// Users named one by one in a warning; more are counted.
constexpr std::size_t kNamedUsers = 20;

}  // namespace

Regfile::Regfile(Engine& engine, GeneralSettings general, UserTable users, std::unique_ptr<Store> store)
    : engine_(engine), log_(engine.log("regfile")), general_(std::move(general)), users_(std::move(users)), store_(std::move(store)) {
  if (!store_->keeps_journal()) {
    log_.warning("event=memory_only reason=\"file= is empty: registrations are lost when this process ends, and answered before they are safe\"");
  }
  drop_unknown();
}

void Regfile::use(GeneralSettings general, UserTable users) {
  const bool autocreate = general_.autocreate;  // read once (COMPAT §4)
  general_ = std::move(general);
  general_.autocreate = autocreate;
  users_ = std::move(users);
  warn_of_realm(std::exchange(checked_realm_, {}));
  drop_unknown();
}

void Regfile::drop_unknown() {
  if (general_.autocreate) return;
  if (const auto dropped = store_->keep_only([this](std::string_view name) { return known(name); }); dropped != 0) {
    log_.info("event=bindings_dropped count={} reason=\"their users are no longer in the file\"", dropped);
  }
}

void Regfile::set_parameters(Message& message, const User& user) const {
  const auto lookup = [&message](std::string_view name) -> std::optional<std::string_view> {
    const auto* found = message.find(name);
    return found ? std::optional(found->value) : std::nullopt;
  };
  for (const auto& [name, value] : users_.parameters(user)) {
    // One pass over the user's own text: what a message brings is never looked at again.
    if (value.find("${") == std::string_view::npos) message.set(name, value);
    else message.set(name, substitute(value, lookup));
  }
}

Verdict Regfile::user_auth(Message& message) {
  if (!message.flag(param::kAuthRegfile, true)) return false;
  const auto username = message.get(param::kUsername);
  const auto* user = username.empty() ? nullptr : users_.find(username);
  if (!user || !user->authenticates()) return false;
  if (user->empty_password() && !general_.allow_empty_password) {
    message.set(param::kError, "forbidden");
    message.set(param::kReason, "This user has no password");
    message.set_retvalue("-");
    return true;
  }

  if (user->hashed()) warn_of_realm(message.get(param::kRealm));
  set_parameters(message, *user);
  if (!user->alternatives.empty()) message.set(param::kAlternatives, user->alternatives);
  if (user->max_contacts) message.set(param::kMaxContacts, static_cast<long long>(*user->max_contacts));
  if (!user->ha1_md5.empty()) message.set(param::kHa1Md5, user->ha1_md5);
  if (!user->ha1_sha256.empty()) message.set(param::kHa1Sha256, user->ha1_sha256);
  if (user->hashed()) message.set(param::kHa1Realm, user->ha1_realm);
  message.set_retvalue(user->password.value_or(std::string_view()));
  return true;
}

void Regfile::warn_of_realm(std::string_view realm) {
  if (realm.empty() || realm == checked_realm_) return;
  checked_realm_ = realm;
  std::size_t others = 0;
  for (const auto& user : users_.all()) {
    if (!user.hashed() || user.ha1_realm == realm) continue;
    if (++others > kNamedUsers) continue;
    log_.warning("event=other_realm user={} realm={} ours={} reason=\"the hash is for another realm: he cannot log in; set his password again\"",
                 log_value(user.name), log_value(user.ha1_realm), log_value(realm));
  }
  if (others > kNamedUsers) log_.warning("event=other_realm more={}", others - kNamedUsers);
}

Verdict Regfile::user_register(Message& message) {
  if (!message.flag(param::kRegisterRegfile, true)) return false;
  const auto username = message.get(param::kUsername);
  if (username.empty() || message.get(param::kData).empty() || !known(username)) return false;

  const auto seconds = message.number(param::kExpires);
  std::int64_t expires_ms = 0;
  if (seconds > 0) {
    const auto until = engine_.clock().wall() + std::chrono::seconds(std::min<long long>(seconds, UINT32_MAX));
    expires_ms = std::chrono::duration_cast<std::chrono::milliseconds>(until.time_since_epoch()).count();
  }
  const auto* user = users_.find(username);
  const auto max_contacts = user && user->max_contacts ? *user->max_contacts : general_.max_contacts;
  const bool wait = store_->put(packer_.pack(message), expires_ms, max_contacts);
  message.set(param::kMaxContacts, static_cast<long long>(max_contacts));
  return wait ? once_durable() : true;
}

Verdict Regfile::once_durable() { return Proviso{.durable = store_->durable(), .code = 500, .reason = "Registration Not Saved"}; }

Verdict Regfile::user_unregister(Message& message) {
  if (!message.flag(param::kRegisterRegfile, true)) return false;
  const auto username = message.get(param::kUsername);
  if (username.empty()) {
    store_->remove_connection(message.get(param::kConnectionId));
    return false;
  }
  const auto* key = message.find(param::kBinding);
  const auto removed = key ? store_->remove(username, key->value) : store_->remove_user(username);
  if (removed.wait) return once_durable();
  return removed.count != 0 || users_.find(username) != nullptr;
}

Verdict Regfile::user_bindings(Message& message) {
  warn_of_realm(message.get(param::kRealm));  // sip says it with its first question: whom it concerns is named at the start (D1)
  return bindings::tell(message, store_);
}

}  // namespace jackfield::regfile
