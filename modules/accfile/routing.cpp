#include "routing.h"

#include "bindings/tell.h"

#include <jackfield/messages/call.h>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <vector>

namespace jackfield::accfile {
namespace param = messages::param;
namespace {

constexpr std::string_view kLineTarget = "line/";

/// callfork takes it from there (COMPAT §7): those of one preference ring together, the others when none of them answers.
void ring_all(const std::vector<bindings::Binding*>& contacts, Message& message) {
  unsigned number = 0;
  const bindings::Binding* before = nullptr;
  for (const auto* contact : contacts) {
    if (before && bindings::preference(*before) != bindings::preference(*contact)) message.set(fmt::format("{}.{}", param::kCallto.name, ++number), "|");
    before = contact;
    const auto packed = contact->packed();
    const auto entry = fmt::format("{}.{}", param::kCallto.name, ++number);
    message.set(entry, packed.data());
    packed.each_route_parameter([&](std::string_view name, std::string_view value) { message.set(fmt::format("{}.{}", entry, name), value); });
  }
  message.set(param::kCallto, "fork");
}

}  // namespace

bool ring_owner(const Connections& connections, Message& message) {
  const auto* connection = connections.find(message.get(param::kInLine));
  if (!connection || connection->owner.empty()) return false;
  if (!message.has(param::kCalledfull)) message.set(param::kCalledfull, message.get(param::kCalled));
  message.set(param::kCalled, connection->owner);
  return false;
}

bool leave_by_pattern(const Connections& connections, Message& message) {
  // Nobody but a user leaves: what came in by a trunk or from a stranger must not go out again at our cost. The other side of an inbound
  // connection has shown credentials and is a user.
  if (message.get(param::kUsername).empty()) return false;
  const auto in_line = message.get(param::kInLine);
  if (const auto* entry = connections.find(in_line); !in_line.empty() && (!entry || !entry->inbound)) return false;
  // One of our own users, whose phones are all away: a catch-all is not meant for him.
  if (message.get(param::kError) == "offline") return false;
  const auto called = message.get(param::kCalled);
  const auto* exit = called.empty() ? nullptr : connections.for_number(called, in_line);
  if (!exit) return false;
  message.set(param::kLine, exit->name);
  message.set_retvalue(fmt::format("{}{}", kLineTarget, called));
  return true;
}

bool find_contact(const Connections& connections, const bindings::Store& store, Message& message) {
  const auto callto = message.get(param::kCallto);
  if (!callto.starts_with(kLineTarget)) return false;
  const auto* connection = connections.find(message.get(param::kLine));
  if (!connection || !connection->inbound) return false;
  std::vector<bindings::Binding*> contacts;
  store.bindings().of_user(connection->username, contacts);
  if (contacts.empty()) return false;  // sip says that nobody is registered
  // The most preferred first, and of equals the newest.
  std::ranges::reverse(contacts);
  std::ranges::stable_sort(contacts, std::ranges::greater(), [](const auto* contact) { return bindings::preference(*contact); });
  const std::string number(callto.substr(kLineTarget.size()));
  message.erase(param::kLine);
  message.set(param::kUser, number);
  // A text message has one receiver.
  if (contacts.size() == 1 || message.name() != messages::kCallExecute.name) {
    const auto packed = contacts.front()->packed();
    packed.each_route_parameter([&](std::string_view name, std::string_view value) { message.set(name, value); });
    message.set(param::kCallto, packed.data());
    return false;
  }
  ring_all(contacts, message);
  return false;
}

}  // namespace jackfield::accfile
