#include "inbound.h"

#include "bindings/tell.h"

#include <jackfield/messages/user.h>

#include <algorithm>
#include <limits>

namespace jackfield::accfile {
namespace param = messages::param;

Inbound::Inbound(Engine& engine, const Connections& connections, std::unique_ptr<bindings::Store> store)
    : log_(engine.log("accfile")), connections_(connections), store_(std::move(store)), engine_(engine) {}

Verdict Inbound::user_auth(Message& message) {
  const auto username = message.get(param::kUsername);
  const auto* connection = username.empty() ? nullptr : connections_.of_user(username);
  if (!connection) return false;
  if (connection->password.empty() && connection->ha1_md5.empty() && connection->ha1_sha256.empty()) {
    // An empty answer would let everybody in.
    message.set(param::kError, "forbidden").set(param::kReason, "the connection has no password");
    message.set_retvalue("-");
    return true;
  }
  message.set(param::kInLine, connection->name);
  // It speaks for its own users: any number may call, any of its names register (D3).
  message.set("check_to", "no").set("check_from", "no");
  for (const auto& [name, value] : connection->entry_parameters) message.set(name, value);
  message.set(param::kMaxContacts, static_cast<long long>(connection->max_contacts));
  if (!connection->ha1_md5.empty()) message.set(param::kHa1Md5, connection->ha1_md5);
  if (!connection->ha1_sha256.empty()) message.set(param::kHa1Sha256, connection->ha1_sha256);
  if (!connection->ha1_realm.empty()) message.set(param::kHa1Realm, connection->ha1_realm);
  message.set_retvalue(connection->password);
  return true;
}

Verdict Inbound::user_register(Message& message) {
  const auto* connection = connections_.of_user(message.get(param::kUsername));
  if (!connection || message.get(param::kData).empty()) return false;
  const auto seconds = message.number(param::kExpires);
  std::int64_t expires_ms = 0;
  if (seconds > 0) {
    const auto until = engine_.clock().wall() + std::chrono::seconds(std::min<long long>(seconds, std::numeric_limits<std::uint32_t>::max()));
    expires_ms = std::chrono::duration_cast<std::chrono::milliseconds>(until.time_since_epoch()).count();
  }
  const bool wait = store_->put(packer_.pack(message), expires_ms, connection->max_contacts);
  message.set(param::kMaxContacts, static_cast<long long>(connection->max_contacts));
  return wait ? once_durable() : true;
}

Verdict Inbound::once_durable() { return Proviso{.durable = store_->durable(), .code = 500, .reason = "Registration Not Saved"}; }

Verdict Inbound::user_unregister(Message& message) {
  const auto username = message.get(param::kUsername);
  if (username.empty()) {
    (void)store_->remove_connection(message.get(param::kConnectionId));
    return false;
  }
  // Of a connection that has ended meanwhile, too.
  if (!connections_.of_user(username) && !store_->bindings().has_user(username)) return false;
  const auto* key = message.find(param::kBinding);
  const auto removed = key ? store_->remove(username, key->value) : store_->remove_user(username);
  if (removed.wait) return once_durable();
  return true;
}

Verdict Inbound::user_bindings(Message& message) {
  if (const auto realm = message.get(param::kRealm); !realm.empty()) realm_ = realm;
  const auto username = message.get(param::kUsername);
  if (!username.empty() && !connections_.of_user(username) && !store_->bindings().has_user(username)) return false;
  return bindings::tell(message, store_);
}

void Inbound::drop_unknown() {
  const auto dropped = store_->keep_only([this](std::string_view username) { return connections_.of_user(username) != nullptr; });
  if (dropped != 0) log_.info("event=bindings_dropped count={} reason=\"their connections are no longer in force\"", dropped);
}

void Inbound::check_realm(const Connection& connection) const {
  if (realm_.empty() || connection.ha1_realm.empty() || connection.ha1_realm == realm_) return;
  log_.warning("event=other_realm account={} realm={} ours={} reason=\"the hash is for another realm: the other side cannot register; "
               "set realm= in [general] of accfile.conf and add the connection again\"",
               log_value(connection.name), log_value(connection.ha1_realm), log_value(realm_));
}

}  // namespace jackfield::accfile
