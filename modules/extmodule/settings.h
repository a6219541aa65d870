// extmodule.conf as the module uses it.
#pragma once

#include "locals.h"

#include <jackfield/settings.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "door/trust.h"

namespace jackfield::extmodule {

extern const KeyTable kKeys;

/// What a connection has to do with: the whole bus, or one call of its own. Open: it says so first.
enum class Role : std::uint8_t { open, global, channel };

enum class Restart : std::uint8_t { never, failure, always };

struct ScriptSettings {
  std::string folder;  ///< empty: `scripts` below the shared files
  Restart restart = Restart::failure;
  Locals locals;       ///< what a script begins with
  std::size_t most_calls = 200;  ///< that have a script of their own at once
};

struct ListenerSettings {
  std::string name;
  bool is_local = false;
  std::string address;
  std::uint16_t port = 0;
  std::string path;
  Role role = Role::open;
  std::string secret;  ///< to be told first (`%%>auth:SECRET`); empty: none
  Duration secret_timeout{10000}, fail_delay{1000};
  door::Trust trust;   ///< who of this machine may speak by TCP where there is no secret
  SourceLine where;
};

struct ExtModuleSettings {
  ScriptSettings scripts;
  std::vector<ListenerSettings> listeners;
  std::vector<std::pair<std::string, std::string>> started, executed;  ///< name, argument
};

ExtModuleSettings read_settings(const Settings& settings, Problems& problems);

}  // namespace jackfield::extmodule
