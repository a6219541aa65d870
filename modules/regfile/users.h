// The users of regfile.conf, read once and then constant: found by name and by alternative number. A reload makes a new table.
#pragma once

#include <jackfield/arena.h>
#include <jackfield/settings.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace jackfield::regfile {

/// All views live as long as the table.
struct User {
  struct Parameter {
    std::string_view name, value;
  };

  std::string_view name;
  std::optional<std::string_view> password;  ///< absent and empty differ (COMPAT §4)
  std::string_view ha1_md5, ha1_sha256;      ///< hexadecimal digits; empty: none
  std::string_view ha1_realm;                ///< of both
  std::string_view alternatives;             ///< as written
  std::optional<std::uint32_t> max_contacts;

  bool hashed() const { return !ha1_md5.empty() || !ha1_sha256.empty(); }
  /// False: somebody else must know him; this module does not authenticate him.
  bool authenticates() const { return password.has_value() || hashed(); }
  bool empty_password() const { return password && password->empty() && !hashed(); }

 private:
  friend class UserTable;
  std::uint32_t first_parameter = 0, parameter_count = 0;
};

class UserTable {
 public:
  UserTable() = default;
  UserTable(UserTable&&) = default;
  UserTable& operator=(UserTable&&) = default;

  /// Reads every section but [general]. Hashes that are none and contradictions become errors; users that are refused for an
  /// empty password become warnings, each by name.
  static UserTable read(const Settings& settings, bool allow_empty_password, Problems& problems);

  const User* find(std::string_view name) const;
  /// Who has `number` among his alternatives, in the order of the file.
  std::span<const std::uint32_t> with_alternative(std::string_view number) const;
  const User& at(std::uint32_t index) const { return users_[index]; }
  std::span<const User> all() const { return users_; }
  /// What is set on user.auth and call.route, in the order of the file; values are templates.
  std::span<const User::Parameter> parameters(const User& user) const {
    return std::span(parameters_).subspan(user.first_parameter, user.parameter_count);
  }

 private:
  void read_user(const SettingsSection& section, Problems& problems);
  void index_alternatives(std::uint32_t user);

  Arena text_;
  std::vector<User> users_;
  std::vector<User::Parameter> parameters_;
  std::unordered_map<std::string_view, std::uint32_t> by_name_;
  std::unordered_map<std::string_view, std::vector<std::uint32_t>> by_alternative_;
};

}  // namespace jackfield::regfile
