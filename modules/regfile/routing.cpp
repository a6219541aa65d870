// call.route (COMPAT §4, DECISIONS D3): the caller's own parameters, then where the called user is reached.
#include "regfile.h"

#include "bindings/tell.h"

#include <jackfield/messages/parameters.h>

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::regfile {
namespace param = messages::param;
namespace {

void route_to_one(Message& message, const Binding& binding) {
  const auto packed = binding.packed();
  packed.each_route_parameter([&](std::string_view name, std::string_view value) { message.set(name, value); });
  message.set_retvalue(packed.data());
}

}  // namespace

void Regfile::add_targets(std::string_view username, std::vector<Target>& targets) const {
  std::vector<Binding*> found;
  store_->bindings().of_user(username, found);
  std::ranges::stable_sort(found, std::greater(), [](const Binding* binding) { return bindings::preference(*binding); });
  // Each user's most preferred phones ring first: a preference says nothing about somebody else's phones.
  std::size_t group = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (i > 0 && bindings::preference(*found[i]) != bindings::preference(*found[i - 1])) ++group;
    targets.push_back({group, found[i]});
  }
}

std::vector<Regfile::Target> Regfile::targets(std::string_view called, bool& offline) const {
  std::vector<Target> found;
  add_targets(called, found);
  const bool user = users_.find(called) != nullptr;
  const auto sharing = user || !found.empty() ? std::span<const std::uint32_t>() : users_.with_alternative(called);
  for (const auto index : sharing) add_targets(users_.at(index).name, found);
  std::ranges::stable_sort(found, std::less(), &Target::group);
  offline = found.empty() && (user || !sharing.empty());
  return found;
}

Verdict Regfile::call_route(Message& message) {
  if (!message.flag(param::kRouteRegfile, true)) return false;
  const auto* username = message.find(param::kUsername);
  const bool authenticated = username && !username->value.empty();
  const bool from_elsewhere = message.has(param::kInLine);  // the username is an account of ours at somebody else's
  const auto* user = from_elsewhere ? nullptr : users_.find(authenticated ? username->value : message.get(param::kCaller));
  if (user) set_parameters(message, *user);

  const auto called = message.get(param::kCalled);
  if (called.empty()) return false;
  bool offline = false;
  const auto found = targets(called, offline);
  if (offline) message.set(param::kError, "offline");
  if (found.empty()) return false;
  if (found.size() == 1) {
    route_to_one(message, *found.front().binding);
    return true;
  }

  std::size_t number = 0;
  std::string name;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (i > 0 && found[i].group != found[i - 1].group) message.set(fmt::format("callto.{}", ++number), "|");
    const auto packed = found[i].binding->packed();
    name = fmt::format("callto.{}", ++number);
    message.set(name, packed.data());
    name.push_back('.');
    const auto prefix = name.size();
    packed.each_route_parameter([&](std::string_view sub, std::string_view value) {
      name.resize(prefix);
      message.set(name.append(sub), value);
    });
  }
  message.set_retvalue("fork");
  return true;
}

}  // namespace jackfield::regfile
