// The accounts of accfile.conf, read once and then constant; a reload reads them anew and compares. Pure.
#pragma once

#include <jackfield/message.h>
#include <jackfield/settings.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jackfield::accfile {

struct Account {
  std::string name;
  /// In force: Yate's rule (enabled=yes, or no `enabled` and a username), and nothing is wrong with it.
  bool active = false;
  std::vector<std::pair<std::string, std::string>> parameters;  ///< all keys, each once
  std::string problem;                                          ///< why it stays out of force although it should not

  std::string_view get(std::string_view key) const;
  std::string_view protocol() const;
  /// As messages have it: account, operation, then all keys.
  Message message(std::string_view operation, WallTime now) const;
  friend bool operator==(const Account&, const Account&) = default;
};

using AccountTable = std::map<std::string, Account, std::less<>>;

/// Sections become accounts. Warnings name what looks misspelt and which account stays out of force, and why.
AccountTable read_accounts(const Settings& settings, Problems& problems);

/// Why an account that says it is in force cannot be: a sentence; empty: it can.
std::string find_problem(const Account& account);
/// What is wrong with networks that may call; a sentence, or nothing.
std::string bad_networks(std::string_view list);
/// The same for a regular expression of numbers.
std::string bad_pattern(std::string_view pattern);
/// `REALM:HEX` with that many digits.
bool is_hash(std::string_view value, std::size_t digits);

}  // namespace jackfield::accfile
