// regfile.conf: the key table and what [general] says. Users are read in users.h.
#pragma once

#include <jackfield/settings.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace jackfield::regfile {

extern const KeyTable kKeys;
/// The section that is no user.
inline constexpr std::string_view kGeneral = "general";
/// The keys of a user's section that mean something here; every other key is a parameter of the user.
namespace user_key {
inline constexpr std::string_view kPassword = "password";
inline constexpr std::string_view kPasswordMd5 = "password.md5";
inline constexpr std::string_view kPasswordSha256 = "password.sha256";
inline constexpr std::string_view kAlternatives = "alternatives";
inline constexpr std::string_view kMaxContacts = "max_contacts";
}  // namespace user_key

struct GeneralSettings {
  bool autocreate = false;
  int auth_priority = 100;
  int register_priority = 100;
  int route_priority = 100;
  std::string file;  ///< as written; `${…}` is not yet replaced; empty: bindings are kept in memory only
  bool sync = true;
  bool allow_empty_password = false;
  std::uint32_t max_contacts = 0;
};
GeneralSettings read_general(const Settings& settings);

/// `file` with `${statedir}` and run parameters put in; below the state directory when it is relative. Empty stays empty.
std::filesystem::path bindings_path(std::string_view written, const std::filesystem::path& state_dir,
                                    const std::function<std::optional<std::string_view>(std::string_view name)>& run_parameter);

}  // namespace jackfield::regfile
