// The engine's own file: jackfield.conf, or yate.conf where there is none.
#pragma once

#include <jackfield/log.h>
#include <jackfield/settings.h>

#include "settings/ini_reader.h"

#include <string>
#include <utility>
#include <vector>

namespace jackfield {

extern const KeyTable kEngineKeys;

struct EngineSettings {
  std::string nodename, modpath;
  std::vector<std::string> extrapath;
  bool modload = false;
  LogLevel loglevel = LogLevel::info;
  Duration drain_timeout{0};
  Duration takeover_timeout{0};
  std::size_t recorder_calls = 0, recorder_registrations = 0;  ///< bytes
  std::string user;  ///< whom the server becomes once it has its ports; empty: nobody else
  std::vector<std::pair<std::string, LogLevel>> debug;               ///< [debug]: level per module
  std::vector<std::pair<std::string, std::string>> run_parameters;   ///< [run_params], [telephony] and [variables]
};

/// `problems` gets what the key table cannot see.
EngineSettings read_engine_settings(const Settings& settings, Problems& problems);
settings::IncludeRules read_include_rules(const Settings& settings);

}  // namespace jackfield
