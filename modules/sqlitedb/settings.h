// sqlitedb.conf: the key table, and an account for each section.
#pragma once

#include "database/accounts.h"
#include "sqlite_connection.h"

#include <jackfield/settings.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace jackfield::sqlitedb {

extern const KeyTable kKeys;
/// The section that is no account.
inline constexpr std::string_view kGeneral = "general";

/// An account as the file says it; nothing is opened.
struct AccountSettings {
  database::AccountOptions options;
  std::string database;  ///< as written
  std::string synchronous;
  std::string initialize;  ///< SQL, or @ and the name of a file with it
  unsigned mode = 0600;
  std::chrono::seconds applied_keep{};
  SourceLine initialize_line;
};

std::vector<AccountSettings> read_accounts(const Settings& settings);
int read_priority(const Settings& settings);

/// Puts in what lies outside the file: the state directory, and the SQL of `initialize=@file`, which is below `config_dir` when its path
/// is relative.
tl::expected<std::shared_ptr<const ConnectionSettings>, Problem> connection_settings(const AccountSettings& account, const std::filesystem::path& state_dir,
                                                                                     const std::filesystem::path& config_dir);
database::AccountPlan plan_of(const AccountSettings& account, std::shared_ptr<const ConnectionSettings> connection);

}  // namespace jackfield::sqlitedb
