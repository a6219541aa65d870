// pgsqldb.conf: the key table, and the accounts it describes.
#pragma once

#include "connection.h"
#include "servers.h"

#include "database/account.h"

#include <jackfield/settings.h>

#include <string>
#include <string_view>
#include <vector>

namespace jackfield::pgsqldb {

extern const KeyTable kKeys;

struct AccountSettings {
  database::AccountOptions options;
  std::vector<Server> servers;
  std::string fingerprint;  ///< all its keys: two that are equal are the same account
};

int read_priority(const Settings& settings);
/// Problems say file and line, and nothing that a connection string holds.
std::vector<AccountSettings> read_accounts(const Settings& settings, Problems& problems);

}  // namespace jackfield::pgsqldb
