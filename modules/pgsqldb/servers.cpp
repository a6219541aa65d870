#include "servers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <libpq-fe.h>

#include <algorithm>
#include <map>
#include <memory>

namespace jackfield::pgsqldb {
namespace {

using Parameters = std::map<std::string, std::string>;

constexpr Duration kLeastDeadline{1000};
constexpr const char* kNotUnderstood =
    "connection= is not understood: it is either `host=db1,db2 port=5432 dbname=… user=… password=…`, values with blanks or quotes as "
    "'…' with \\' and \\\\, or postgresql://user:password@db1,db2/dbname";

tl::expected<Parameters, std::string> parse(const std::string& text) {
  // What libpq says about it may quote the password.
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(PQconninfoParse(text.c_str(), &message), PQconninfoFree);
  if (message != nullptr) PQfreemem(message);
  if (!options) return tl::unexpected(std::string(kNotUnderstood));
  Parameters found;
  for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) found.emplace(option->keyword, option->val);
  }
  return found;
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0;;) {
    const auto comma = std::min(list.find(',', begin), list.size());
    parts.push_back(list.substr(begin, comma - begin));
    if (comma == list.size()) return parts;
    begin = comma + 1;
  }
}

std::string take(Parameters& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return {};
  auto value = std::move(found->second);
  parameters.erase(found);
  return value;
}

/// What the part of a list says for server `index`; one part stands for all.
const std::string& part(const std::vector<std::string>& parts, std::size_t index) { return parts.size() == 1 ? parts.front() : parts[index]; }

}  // namespace

tl::expected<std::vector<Server>, std::string> servers(const ServerKeys& keys) {
  Parameters common;
  if (keys.connection.empty()) {
    common = {{"host", keys.host}, {"port", keys.port}, {"dbname", keys.database}, {"user", keys.user}, {"password", keys.password}};
    std::erase_if(common, [](const auto& one) { return one.second.empty(); });
  } else {
    auto parsed = parse(keys.connection);
    if (!parsed) return tl::unexpected(parsed.error());
    common = std::move(*parsed);
  }
  common["client_encoding"] = keys.encoding.empty() ? "UTF8" : keys.encoding;
  common.emplace("fallback_application_name", "jackfield");
  // Without Kerberos around, asking for its encryption only takes time.
  common.emplace("gssencmode", "disable");
  // A network that swallows what we send is noticed as soon as nobody waits any more.
  common.emplace("tcp_user_timeout", std::to_string(keys.timeout.count()));
  common.emplace("keepalives_idle", "30");
  common.emplace("keepalives_interval", "10");
  common.emplace("keepalives_count", "3");

  const auto hosts = split(take(common, "host")), addresses = split(take(common, "hostaddr")), ports = split(take(common, "port"));
  const auto count = std::max(hosts.size(), addresses.size());
  const auto fits = [count](const std::vector<std::string>& parts) { return parts.size() == count || (parts.size() == 1 && parts.front().empty()); };
  if (!fits(hosts) || !fits(addresses) || (ports.size() != 1 && ports.size() != count)) {
    return tl::unexpected(fmt::format("connection= names {} hosts, {} addresses and {} ports: there must be as many of each, or one port for all",
                                      hosts.size(), addresses.size(), ports.size()));
  }
  auto wanted = take(common, "target_session_attrs");
  if (wanted.empty()) wanted = count > 1 ? "read-write" : "any";
  // libpq goes through its own list twice for this one; ours has one server at a time.
  const auto passes = wanted == "prefer-standby" ? std::vector<std::string>{"standby", "any"} : std::vector<std::string>{wanted};
  Duration deadline = std::max(kLeastDeadline, keys.timeout / static_cast<int>(count));
  if (const auto said = take(common, "connect_timeout"); !said.empty()) {
    // libpq's own: seconds, and 0 waits for ever, which nobody here can.
    const long seconds = std::strtol(said.c_str(), nullptr, 10);
    if (seconds > 0) deadline = Duration(1000 * std::min(seconds, 3600L));
  }

  std::vector<Server> all;
  for (const auto& pass : passes) {
    for (std::size_t i = 0; i < count; ++i) {
      Server server{.parameters = {common.begin(), common.end()}, .name = {}, .deadline = deadline};
      std::vector<std::string> name;
      const auto add = [&](const char* parameter, const std::string& value) {
        if (value.empty()) return;
        server.parameters.emplace_back(parameter, value);
        name.push_back(fmt::format("{}={}", parameter, value));
      };
      add("host", part(hosts, i));
      add("hostaddr", part(addresses, i));
      add("port", part(ports, i));
      server.parameters.emplace_back("target_session_attrs", pass);
      if (const auto database = common.find("dbname"); database != common.end()) name.push_back("dbname=" + database->second);
      server.name = fmt::format("{}", fmt::join(name, " "));
      all.push_back(std::move(server));
    }
  }
  return all;
}

}  // namespace jackfield::pgsqldb
