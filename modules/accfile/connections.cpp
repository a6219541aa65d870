#include "connections.h"

#include "settings.h"

#include <jackfield/messages/user.h>
#include <jackfield/settings.h>

#include <algorithm>

namespace jackfield::accfile {
namespace param = messages::param;
namespace {

constexpr std::string_view kEntryPrefix = "inb:";
constexpr std::int64_t kDefaultWeight = 100;

/// `REALM:HEX`; a realm may have colons of its own.
void take_hash(std::string_view value, std::string& hex, std::string& realm) {
  const auto colon = value.rfind(':');
  if (colon == std::string_view::npos) return;
  realm = value.substr(0, colon);
  hex = value.substr(colon + 1);
}

Connection read(const Message& login) {
  Connection out;
  out.name = login.get(param::kAccount);
  auto type = login.get(param::kConnection);
  if (type.empty()) type = login.get(account_key::kType);
  out.inbound = type == "inbound";
  out.owner = login.get(param::kOwner);
  out.weight = parse_integer(login.get(param::kWeight)).value_or(kDefaultWeight);
  if (const auto pattern = login.get(param::kDialPattern); !pattern.empty())
    if (auto compiled = pattern::Pattern::compile(pattern, {.extended = true})) out.numbers = std::move(*compiled);
  if (!out.inbound) return out;
  out.username = login.get(param::kUsername);
  out.password = login.get(param::kPassword);
  take_hash(login.get(account_key::kPasswordMd5), out.ha1_md5, out.ha1_realm);
  take_hash(login.get(account_key::kPasswordSha256), out.ha1_sha256, out.ha1_realm);
  out.max_contacts = static_cast<std::uint32_t>(std::clamp(login.number(param::kMaxContacts, 1), 0LL, 1000LL));
  for (const auto& [name, value] : login.parameters())
    if (name.starts_with(kEntryPrefix)) out.entry_parameters.emplace_back(name.substr(kEntryPrefix.size()), value);
  return out;
}

}  // namespace

bool ends_connection(std::string_view operation) { return operation == "logout" || operation == "delete"; }

void Connections::learn(const Message& login) {
  const auto name = login.get(param::kAccount);
  const auto operation = login.get(param::kOperation, "login");
  if (name.empty() || login.get(param::kProtocol, "sip") != "sip") return;
  if (ends_connection(operation)) return forget(name);
  if (operation != "login" && operation != "create") return;
  forget(name);
  if (!login.flag(param::kEnabled, true)) return;
  auto connection = read(login);
  if (connection.numbers) {
    exits_.emplace_back(connection.weight, connection.name);
    std::ranges::sort(exits_);
  }
  if (connection.inbound) by_user_[connection.username] = connection.name;
  all_.emplace(connection.name, std::move(connection));
}

void Connections::forget(std::string_view name) {
  const auto found = all_.find(name);
  if (found == all_.end()) return;
  std::erase_if(exits_, [&](const auto& exit) { return exit.second == name; });
  if (const auto user = by_user_.find(found->second.username); user != by_user_.end() && user->second == name) by_user_.erase(user);
  all_.erase(found);
}

const Connection* Connections::find(std::string_view name) const {
  const auto found = all_.find(name);
  return found == all_.end() ? nullptr : &found->second;
}

const Connection* Connections::of_user(std::string_view username) const {
  const auto found = by_user_.find(std::string(username));
  return found == by_user_.end() ? nullptr : find(found->second);
}

const Connection* Connections::for_number(std::string_view number, std::string_view in_line) const {
  for (const auto& [weight, name] : exits_)
    if (const auto* connection = find(name); name != in_line && connection->numbers->matches(number)) return connection;
  return nullptr;
}

void Connections::each(const std::function<void(const Connection&)>& visit) const {
  for (const auto& [name, connection] : all_) visit(connection);
}

}  // namespace jackfield::accfile
