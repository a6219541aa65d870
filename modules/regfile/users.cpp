#include "users.h"

#include "settings.h"
#include "text/trimmed.h"

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::regfile {
namespace {

/// Named one by one up to here, then counted: a file of Yate's may have very many.
constexpr std::size_t kNamedEmptyPasswords = 50;

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
}

struct Hash {
  std::string_view realm, hex;
};

/// `REALM:HEX`; a realm may have colons of its own.
std::optional<Hash> parse_hash(std::string_view value, std::size_t digits) {
  const auto colon = value.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const Hash hash{value.substr(0, colon), value.substr(colon + 1)};
  if (hash.hex.size() != digits || !is_hex(hash.hex)) return std::nullopt;
  return hash;
}

void error(Problems& problems, const SourceLine& where, std::string text) {
  problems.push_back({Problem::Severity::error, where, std::move(text)});
}

void name_empty_passwords(std::span<const User> users, const Settings& settings, Problems& problems) {
  std::size_t empty = 0;
  for (const auto& user : users) {
    if (!user.empty_password()) continue;
    if (++empty > kNamedEmptyPasswords) continue;
    problems.push_back({Problem::Severity::warning, settings.where(user.name, user_key::kPassword),
                        fmt::format("user {} has an empty password and is refused; set one (`jackfield user passwd {}`), or let everybody "
                                    "in by that name with allow_empty_password=yes in [general]{}",
                                    user.name, user.name, settings.from_yate() ? ", as Yate does" : "")});
  }
  if (empty > kNamedEmptyPasswords) {
    problems.push_back({Problem::Severity::warning, {settings.file(), 0},
                        fmt::format("{} more users have an empty password and are refused", empty - kNamedEmptyPasswords)});
  }
}

}  // namespace

UserTable UserTable::read(const Settings& settings, bool allow_empty_password, Problems& problems) {
  UserTable table;
  table.users_.reserve(settings.sections().size());
  table.by_name_.reserve(settings.sections().size());
  for (const auto& section : settings.sections()) {
    if (section.name != kGeneral) table.read_user(section, problems);
  }
  if (!allow_empty_password) name_empty_passwords(table.users_, settings, problems);
  return table;
}

void UserTable::read_user(const SettingsSection& section, Problems& problems) {
  User user;
  user.name = text_.copy(section.name);
  user.first_parameter = static_cast<std::uint32_t>(parameters_.size());

  const auto hash = [&](const Entry& entry, std::size_t digits, std::string_view& into) {
    const auto parsed = parse_hash(entry.value, digits);
    if (!parsed) {
      return error(problems, entry.where,
                   fmt::format("{} of user {} must be REALM:HEX with {} hexadecimal digits", entry.key, section.name, digits));
    }
    if (user.hashed() && user.ha1_realm != parsed->realm) {
      return error(problems, entry.where,
                   fmt::format("the hashes of user {} are for two realms, {} and {}; both must be for the realm of sip.conf", section.name,
                               user.ha1_realm, parsed->realm));
    }
    into = text_.copy(parsed->hex);
    user.ha1_realm = text_.copy(parsed->realm);
  };

  for (const auto& entry : section.entries) {
    if (entry.key == user_key::kPassword) {
      if (!user.password) user.password = text_.copy(entry.value);
    } else if (entry.key == user_key::kPasswordMd5) {
      hash(entry, 32, user.ha1_md5);
    } else if (entry.key == user_key::kPasswordSha256) {
      hash(entry, 64, user.ha1_sha256);
    } else if (entry.key == user_key::kAlternatives) {
      if (user.alternatives.empty()) user.alternatives = text_.copy(entry.value);
    } else if (entry.key == user_key::kMaxContacts) {
      const auto number = parse_integer(entry.value);
      if (!number || *number < 0 || *number > 1000) {
        error(problems, entry.where, fmt::format("max_contacts of user {} must be a number from 0 (any) to 1000", section.name));
      } else {
        user.max_contacts = static_cast<std::uint32_t>(*number);
      }
    } else {
      parameters_.push_back({text_.copy(entry.key), text_.copy(entry.value)});
      ++user.parameter_count;
    }
  }

  const auto index = static_cast<std::uint32_t>(users_.size());
  if (!by_name_.emplace(user.name, index).second) {
    return error(problems, section.where, fmt::format("user {} has two sections; make them one", section.name));
  }
  users_.push_back(user);
  index_alternatives(index);
}

void UserTable::index_alternatives(std::uint32_t user) {
  for (auto rest = users_[user].alternatives; !rest.empty();) {
    const auto comma = rest.find(',');
    const auto number = trimmed(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    if (number.empty()) continue;
    auto& users = by_alternative_[number];
    if (users.empty() || users.back() != user) users.push_back(user);
  }
}

const User* UserTable::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &users_[found->second];
}

std::span<const std::uint32_t> UserTable::with_alternative(std::string_view number) const {
  const auto found = by_alternative_.find(number);
  return found == by_alternative_.end() ? std::span<const std::uint32_t>() : found->second;
}

}  // namespace jackfield::regfile
