#include "account.h"

#include "misspelling.h"
#include "net/address.h"
#include "pattern/pattern.h"
#include "settings.h"

#include <jackfield/messages/user.h>

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::accfile {
namespace param = messages::param;
namespace {

/// An accfile account that says nothing registers for as long as in Yate (D18).
constexpr std::string_view kYatesInterval = "600";
constexpr std::size_t kMd5Digits = 32, kSha256Digits = 64;

/// Keys that stand for many: their names are anybody's.
bool is_open_name(std::string_view key) {
  return key.find_first_of(":.") != std::string_view::npos || key.starts_with("xsip_") || key.starts_with("capture_");
}

std::string join(const std::vector<std::string_view>& parts) { return fmt::format("{}", fmt::join(parts, ", ")); }

void warn(Problems& problems, const SourceLine& where, std::string text) { problems.push_back({Problem::Severity::warning, where, std::move(text)}); }

Account read_account(const SettingsSection& section, std::span<const std::string_view> known, Problems& problems) {
  Account account{.name = section.name, .active = false, .parameters = {}, .problem = {}};
  for (const auto& entry : section.entries) {
    // The name and what is done with it are the section's and the module's to say.
    if (entry.key == param::kAccount.name || entry.key == param::kOperation.name) {
      warn(problems, entry.where, fmt::format("[{}] {} is not read: the section names the account", section.name, entry.key));
      continue;
    }
    const bool again = std::ranges::any_of(account.parameters, [&](const auto& parameter) { return parameter.first == entry.key; });
    if (again) warn(problems, entry.where, fmt::format("[{}] {} is given a second time; the first counts", section.name, entry.key));
    else account.parameters.emplace_back(entry.key, entry.value);
  }
  if (account.protocol() == "sip") {
    for (const auto& entry : section.entries) {
      if (is_open_name(entry.key)) continue;
      if (const auto meant = meant_by(entry.key, known); !meant.empty())
        warn(problems, entry.where, fmt::format("[{}] {} is passed on as it is and means nothing here; did you mean `{}`?", section.name, entry.key, meant));
    }
  }
  const auto* enabled = section.find(account_key::kEnabled);
  const bool wanted = enabled && !enabled->value.empty() ? parse_boolean(enabled->value).value_or(false) : !account.get(account_key::kUsername).empty();
  // A connection of ours need not have a user: a trunk has none.
  const bool ours = !enabled && !account.get(account_key::kType).empty();
  if (wanted || ours) {
    if (account.protocol() == "sip") account.problem = find_problem(account);
    account.active = account.problem.empty();
    if (!account.active) warn(problems, section.where, fmt::format("account {} stays disabled: {}", section.name, account.problem));
  }
  if (account.get(account_key::kInterval).empty() && account.protocol() == "sip" && account.get(account_key::kType) != "trunk" &&
      account.get(account_key::kType) != "inbound")
    account.parameters.emplace_back(account_key::kInterval, kYatesInterval);
  return account;
}

}  // namespace

std::string_view Account::get(std::string_view key) const {
  const auto found = std::ranges::find(parameters, key, &std::pair<std::string, std::string>::first);
  return found == parameters.end() ? std::string_view() : std::string_view(found->second);
}

std::string_view Account::protocol() const {
  const auto said = get(account_key::kProtocol);
  return said.empty() ? "sip" : said;
}

Message Account::message(std::string_view operation, WallTime now) const {
  Message made(messages::kUserLogin.name, now);
  made.add(param::kAccount, name).add(param::kOperation, operation);
  for (const auto& [key, value] : parameters) made.set(key, value);
  if (get(account_key::kProtocol).empty() && !get(account_key::kType).empty()) made.set(param::kProtocol, protocol());
  return made;
}

AccountTable read_accounts(const Settings& settings, Problems& problems) {
  const auto known = known_account_keys();
  AccountTable table;
  for (const auto& section : settings.sections()) {
    if (section.name == kGeneral) continue;
    auto account = read_account(section, known, problems);
    if (const auto [there, fresh] = table.emplace(section.name, std::move(account)); !fresh)
      warn(problems, section.where, fmt::format("account {} has two sections; the first counts", there->first));
  }
  return table;
}

std::string find_problem(const Account& account) {
  const auto type = account.get(account_key::kType);
  const bool has_server = !account.get(account_key::kServer).empty() || !account.get(account_key::kServers).empty() || !account.get(account_key::kRegistrar).empty();
  if (type == "trunk" && account.get(account_key::kAllowed).empty())
    return "a trunk needs allowed=, the addresses its calls come from, such as 192.0.2.1 or 192.0.2.0/24";
  if (auto bad = bad_networks(account.get(account_key::kAllowed)); !bad.empty()) return "allowed: " + bad;
  if (auto bad = bad_pattern(account.get(account_key::kDialPattern)); !bad.empty()) return "dial_pattern: " + bad;
  if (type == "registration") {
    std::vector<std::string_view> missing;
    if (!has_server) missing.emplace_back("server= (or registrar=, servers=)");
    if (account.get(account_key::kUsername).empty()) missing.emplace_back("username=");
    if (!missing.empty()) return fmt::format("a registration needs {}", join(missing));
  }
  if (type == "inbound") {
    if (account.get(account_key::kUsername).empty()) return "an inbound connection needs username=, under which the other side registers";
    const auto md5 = account.get(account_key::kPasswordMd5), sha256 = account.get(account_key::kPasswordSha256);
    if (account.get(account_key::kPassword).empty() && md5.empty() && sha256.empty())
      return "an inbound connection needs a password; `jackfield connection add` makes one";
    if (!md5.empty() && !is_hash(md5, kMd5Digits)) return fmt::format("password.md5 must be REALM:HEX with {} hexadecimal digits", kMd5Digits);
    if (!sha256.empty() && !is_hash(sha256, kSha256Digits)) return fmt::format("password.sha256 must be REALM:HEX with {} hexadecimal digits", kSha256Digits);
  }
  return {};
}

std::string bad_networks(std::string_view list) {
  for (const auto& each : parse_list(list)) {
    const auto network = net::Cidr::parse(each);
    if (!network) return fmt::format("`{}` is no address or network; write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32", each);
    if (network->text().ends_with("/0")) return fmt::format("{} is everybody; write the addresses of the other side", each);
  }
  return {};
}

std::string bad_pattern(std::string_view pattern) {
  if (pattern.empty()) return {};
  const auto compiled = pattern::Pattern::compile(pattern, {.extended = true});
  return compiled ? std::string() : fmt::format("`{}` is no regular expression: {}", pattern, compiled.error());
}

bool is_hash(std::string_view value, std::size_t digits) {
  const auto colon = value.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const auto hex = value.substr(colon + 1);
  return hex.size() == digits && std::ranges::all_of(hex, [](unsigned char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
}

}  // namespace jackfield::accfile
