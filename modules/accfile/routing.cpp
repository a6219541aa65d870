#include "routing.h"

#include "bindings/tell.h"

#include <jackfield/messages/call.h>

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::accfile {
namespace param = messages::param;
namespace {

constexpr std::string_view kLineTarget = "line/";

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
  // The newest of the most preferred ones.
  const auto best = std::ranges::max_element(contacts, [](const auto* a, const auto* b) { return bindings::preference(*a) <= bindings::preference(*b); });
  if (best == contacts.end()) return false;  // sip says that nobody is registered
  const auto packed = (*best)->packed();
  const std::string number(callto.substr(kLineTarget.size()));
  packed.each_route_parameter([&](std::string_view name, std::string_view value) { message.set(name, value); });
  message.erase(param::kLine);
  message.set(param::kUser, number);
  message.set(param::kCallto, packed.data());
  return false;
}

}  // namespace jackfield::accfile
