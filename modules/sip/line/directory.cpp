#include "line/directory.h"

#include <algorithm>
#include <utility>

namespace jackfield::sip::line {

void Directory::set(LineNumber number, const ConnectionSettings& settings, std::string contact, std::vector<net::Address> servers) {
  const auto known = entries_.find(number);
  if (known != entries_.end() && known->second.servers == servers && known->second.contact == contact && known->second.upstream == (settings.type == Type::upstream) && known->second.username == settings.username &&
      known->second.match_port == settings.match_port && known->second.match_user == settings.match_user &&
      std::ranges::equal(known->second.networks, settings.allowed, {}, &net::Cidr::text, &net::Cidr::text))
    return;
  erase(number);
  for (const auto& address : servers) {
    auto& there = by_address_[address.with_port(0)];
    if (std::ranges::find(there, number) == there.end()) there.push_back(number);
  }
  if (!settings.username.empty()) by_user_[settings.username].push_back(number);
  if (!settings.allowed.empty()) with_networks_.push_back(number);
  if (!contact.empty()) by_contact_[contact] = number;
  entries_[number] = {settings.name, settings.type == Type::upstream, settings.username, std::move(contact), std::move(servers), settings.allowed, settings.match_port, settings.match_user};
}

void Directory::erase(LineNumber number) {
  const auto found = entries_.find(number);
  if (found == entries_.end()) return;
  const auto& entry = found->second;
  for (const auto& address : entry.servers)
    if (const auto there = by_address_.find(address.with_port(0)); there != by_address_.end()) {
      std::erase(there->second, number);
      if (there->second.empty()) by_address_.erase(there);
    }
  if (const auto users = by_user_.find(entry.username); users != by_user_.end()) {
    std::erase(users->second, number);
    if (users->second.empty()) by_user_.erase(users);
  }
  std::erase(with_networks_, number);
  by_contact_.erase(entry.contact);
  entries_.erase(found);
}

bool Directory::Entry::has(const net::Address& source) const {
  if (std::ranges::any_of(networks, [&](const net::Cidr& network) { return network.contains(source); })) return true;
  return std::ranges::any_of(servers, [&](const net::Address& server) { return server.same_host(source) && (!match_port || server.port() == source.port()); });
}

std::vector<LineNumber> Directory::at(const net::Address& source) const {
  std::vector<LineNumber> out;
  if (const auto there = by_address_.find(source.with_port(0)); there != by_address_.end()) out = there->second;
  for (const auto number : with_networks_)
    if (entries_.at(number).has(source) && std::ranges::find(out, number) == out.end()) out.push_back(number);
  std::erase_if(out, [&](LineNumber number) { return !entries_.at(number).has(source); });
  return out;
}

LineNumber Directory::find(const net::Address& source, std::string_view user, std::string_view contact) const {
  // Whoever knows the parameter was told by us: a registrar may send from machines that nobody listed (SP-7).
  if (!contact.empty())
    if (const auto named = by_contact_.find(std::string(contact)); named != by_contact_.end()) return named->second;
  if (const auto users = by_user_.find(std::string(user)); users != by_user_.end())
    for (const auto number : users->second) {
      const auto& entry = entries_.at(number);
      if (!entry.upstream && entry.match_user.value_or(true) && entry.has(source)) return number;
    }
  // A number that is dialled through says nothing of whose it is: one that does not insist on its user, the first by name.
  LineNumber first = 0;
  for (const auto number : at(source)) {
    const auto& entry = entries_.at(number);
    if (entry.upstream || entry.match_user.value_or(false)) continue;
    if (first == 0 || entry.name < entries_.at(first).name) first = number;
  }
  return first;
}

LineNumber Directory::find_upstream(const net::Address& source) const {
  LineNumber first = 0;
  for (const auto number : at(source))
    if (const auto& entry = entries_.at(number); entry.upstream && (first == 0 || entry.name < entries_.at(first).name)) first = number;
  return first;
}

bool Directory::is_source(const net::Address& source) const {
  if (const auto there = by_address_.find(source.with_port(0)); there != by_address_.end())
    if (std::ranges::any_of(there->second, [&](LineNumber number) { return !entries_.at(number).upstream; })) return true;
  return std::ranges::any_of(with_networks_, [&](LineNumber number) {
    const auto& entry = entries_.at(number);
    if (!entry.upstream) return entry.has(source);
    return std::ranges::any_of(entry.networks, [&](const net::Cidr& network) { return network.contains(source); });
  });
}

}  // namespace jackfield::sip::line
