#include "phones.h"

#include "bindings/tell.h"
#include "sip/uri.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/user.h>

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::upperreg {
namespace param = messages::param;
using bindings::Binding;

Verdict Phones::once_durable() { return Proviso{.durable = core_->store->durable(), .code = 500, .reason = "Registration Not Saved"}; }

Verdict Phones::user_register(Message& message) {
  const std::string username(message.get(param::kUsername));
  auto* aor = username.empty() ? nullptr : core_->aors->find(username);
  if (!aor || message.get(param::kData).empty()) return false;
  const std::string key(message.get(param::kBinding));
  // Ours is what A agreed to; what else registers under that name is its own user's.
  const auto promise = aor->promises.find(key);
  const bool promised = promise != aor->promises.end() && promise->second.stays;
  if (!aor->at_a() || (!promised && !core_->store->bindings().find(username, key))) return false;
  if (promised) aor->promises.erase(promise);
  const auto seconds = std::clamp<long long>(message.number(param::kExpires), 0, UINT32_MAX);
  // No binding outlasts A's.
  const auto until = seconds > 0 ? std::min(core_->now() + std::chrono::seconds(seconds), aor->granted_until()) : aor->granted_until();
  const auto expires_ms = std::chrono::duration_cast<std::chrono::milliseconds>(until.time_since_epoch()).count();
  constexpr std::uint32_t kAnyNumber = 0;
  const bool wait = core_->store->put(packer_.pack(message), expires_ms, kAnyNumber);
  message.set(param::kMaxContacts, static_cast<long long>(kAnyNumber));
  return wait ? once_durable() : true;
}

Verdict Phones::user_unregister(Message& message) {
  const std::string username(message.get(param::kUsername));
  if (username.empty()) {
    const auto connection = message.get(param::kConnectionId);
    std::vector<Binding*> there;
    core_->store->bindings().on_connection(connection, there);
    std::vector<std::string> users;
    for (const auto* binding : there) users.emplace_back(binding->username());
    (void)core_->store->remove_connection(connection);
    for (const auto& user : users) changed_(user);
    return false;
  }
  const auto* key = message.find(param::kBinding);
  if (auto* aor = core_->aors->find(username)) {
    if (!key) aor->promises.clear();
    else if (const auto promise = aor->promises.find(key->value); promise != aor->promises.end()) aor->promises.erase(promise);
  }
  const auto removed = key ? core_->store->remove(username, key->value) : core_->store->remove_user(username);
  changed_(username);  // of an expired one too, which the store has dropped by itself
  if (removed.count == 0) return false;
  if (removed.wait) return once_durable();
  return true;
}

Verdict Phones::user_bindings(Message& message) {
  const auto username = message.get(param::kUsername);
  // Of somebody else's user somebody else is asked.
  if (!username.empty() && !core_->store->bindings().has_user(username)) return false;
  return bindings::tell(message, core_->store);
}

std::string Phones::reached_by(std::string_view called) const {
  if (called.empty()) return {};
  if (core_->store->bindings().has_user(called)) return std::string(called);
  if (const auto at = called.rfind('@'); at != std::string_view::npos) {
    auto name = fmt::format("{}@{}", called.substr(0, at), lower_host(called.substr(at + 1)));
    return core_->store->bindings().has_user(name) ? name : std::string();
  }
  std::string only;
  bool several = false;
  core_->aors->of_user(called, [&](const Aor& aor) {
    if (!core_->store->bindings().has_user(aor.id.name)) return;
    several = several || !only.empty();
    only = aor.id.name;
  });
  return several ? std::string() : only;
}

Verdict Phones::call_route(Message& message) {
  const auto name = reached_by(message.get(param::kCalled));
  if (name.empty()) return false;
  std::vector<Binding*> found;
  core_->store->bindings().of_user(name, found);
  std::ranges::stable_sort(found, std::greater(), [](const Binding* binding) { return bindings::preference(*binding); });
  message.erase(param::kError);  // whose store says "offline" has not looked here
  if (found.size() == 1) {
    const auto packed = found.front()->packed();
    packed.each_route_parameter([&](std::string_view key, std::string_view value) { message.set(key, value); });
    message.set_retvalue(packed.data());
    return true;
  }
  std::size_t number = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (i > 0 && bindings::preference(*found[i]) != bindings::preference(*found[i - 1])) message.set(fmt::format("callto.{}", ++number), "|");
    const auto packed = found[i]->packed();
    const auto target = fmt::format("callto.{}", ++number);
    message.set(target, packed.data());
    packed.each_route_parameter([&](std::string_view key, std::string_view value) { message.set(fmt::format("{}.{}", target, key), value); });
  }
  message.set_retvalue("fork");
  return true;
}

Verdict Phones::user_auth(Message& message) {
  if (!message.get(param::kUsername).empty() || message.get(param::kMethod) == "REGISTER") return false;
  const auto uri = sip::Uri::parse(message.get(param::kSipFrom));
  if (!uri || uri->user.empty()) return false;
  const auto user = sip::unescape(uri->user);
  for (const auto& name : {fmt::format("{}@{}", user, lower_host(uri->host)), user}) {
    const auto* aor = core_->aors->find(name);
    if (!aor || aor->kind != Kind::relayed || !aor->at_a()) continue;
    std::vector<Binding*> kept;
    core_->store->bindings().of_user(name, kept);
    if (!std::ranges::any_of(kept, [&](const Binding* binding) { return same_flow(binding->packed(), message); })) continue;
    message.set(param::kUsername, name);
    if (name != user) message.set(param::kAlternatives, user);  // D3: the number he calls from is his own
    message.set_retvalue("");
    return true;
  }
  return false;
}

}  // namespace jackfield::upperreg
