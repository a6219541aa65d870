// accfile.conf: the key table and what [general] says. Accounts are read in account.h.
#pragma once

#include <jackfield/settings.h>

#include <string>
#include <string_view>
#include <vector>

namespace jackfield::accfile {

extern const KeyTable kKeys;
/// The section that is no account.
inline constexpr std::string_view kGeneral = "general";
/// Keys of an account that are read here, too; all others are for whoever performs the account.
namespace account_key {
inline constexpr std::string_view kEnabled = "enabled";
inline constexpr std::string_view kUsername = "username";
inline constexpr std::string_view kPassword = "password";
inline constexpr std::string_view kPasswordMd5 = "password.md5";
inline constexpr std::string_view kPasswordSha256 = "password.sha256";
inline constexpr std::string_view kProtocol = "protocol";
inline constexpr std::string_view kType = "type";
inline constexpr std::string_view kRegistrar = "registrar";
inline constexpr std::string_view kServer = "server";
inline constexpr std::string_view kServers = "servers";
inline constexpr std::string_view kAllowed = "allowed";
inline constexpr std::string_view kInterval = "interval";
inline constexpr std::string_view kDialPattern = "dial_pattern";
inline constexpr std::string_view kWeight = "weight";
inline constexpr std::string_view kOwner = "owner";
inline constexpr std::string_view kMaxContacts = "max_contacts";
}  // namespace account_key

struct GeneralSettings {
  bool reload = true;
  std::vector<std::string> auto_oper;  ///< operations for every account, at each reload
  std::string realm;
  std::string file;  ///< where inbound connections' bindings are kept; relative to the state directory; empty: memory
  bool sync = true;
  int auth_priority = 40, owner_priority = 30, route_priority = 120, execute_priority = 80;
};
GeneralSettings read_general(const Settings& settings);

/// Every name an account's key may have and be understood: for hints at misspelt ones.
std::vector<std::string_view> known_account_keys();

}  // namespace jackfield::accfile
