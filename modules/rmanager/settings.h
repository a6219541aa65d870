// rmanager.conf as the module uses it: each section is a listener.
#pragma once

#include <jackfield/settings.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "door/trust.h"
#include "net/address.h"
#include "pattern/pattern.h"

namespace jackfield::rmanager {

extern const KeyTable kKeys;

struct ListenerSettings {
  std::string name = "general";
  net::Address address;
  std::string header, goodbye;
  std::string prompt, prompt_user, prompt_guest;  ///< by level: admin, user, none
  std::string password, userpass;
  door::Trust trust;  ///< who of this machine may do everything where there is no password
  std::vector<std::string> user_prefixes;
  std::optional<pattern::Pattern> user_commands;
  Duration timeout{30000}, fail_delay{1000}, unread_timeout{30000};
  std::size_t max_connections = 256, max_history = 10;
  bool logged = true, telnet = true, output = false, color = false, echoing = false, interactive = false;
  std::vector<std::pair<std::string, std::string>> aliases;
  SourceLine where;

  /// Whether the line is one of the further commands of the level user.
  bool allows_users(std::string_view line) const;
};

/// At least one listener; problems are added.
std::vector<std::shared_ptr<const ListenerSettings>> read_settings(const Settings& settings, Problems& problems);

}  // namespace jackfield::rmanager
