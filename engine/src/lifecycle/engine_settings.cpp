#include "lifecycle/engine_settings.h"

#include "log/levels.h"

#include <fmt/format.h>

#include <array>

namespace jackfield {

namespace {

constexpr Key kGeneralKeys[] = {
    {.name = "nodename", .type = KeyType::text, .fallback = "", .unit = "",
     .doc = "Name of this server among several; -N on the command line comes first. Empty: the machine's name.", .reloadable = false},
    {.name = "statedir", .type = KeyType::text, .fallback = "", .unit = "",
     .doc = "Folder for what must survive a restart, and for the control socket; -w on the command line comes first. A relative one is "
            "below the folder of this file. Empty: var/lib/jackfield beside bin.",
     .reloadable = false},
    {.name = "modpath", .type = KeyType::text, .fallback = "", .unit = "",
     .doc = "Folder the modules are loaded from; -m on the command line comes first. Empty: lib/jackfield/modules beside bin.", .reloadable = false},
    {.name = "extrapath", .type = KeyType::list, .fallback = "", .unit = "", .doc = "Further folders with modules, searched after the first.",
     .reloadable = false},
    {.name = "modload", .type = KeyType::boolean, .fallback = "no", .unit = "",
     .doc = "Whether a module that [modules] does not name is loaded. In a yate.conf the default is yes, as it was there.", .reloadable = false},
    {.name = "loglevel", .type = KeyType::choice, .fallback = "info", .unit = "",
     .doc = "How much is logged by modules that [debug] does not name; -v and -q on the command line add to it.",
     .choices = "trace,debug,info,warning,error"},
    {.name = "drain_timeout", .type = KeyType::seconds, .fallback = "0", .unit = "s",
     .doc = "How long calls may go on after a request to stop, while new ones are refused; then they are ended. --drain-timeout on the "
            "command line comes first.",
     .min = 0},
    {.name = "user", .type = KeyType::text, .fallback = "", .unit = "",
     .doc = "Whom a server that was started by root becomes once it has its ports: USER or USER:GROUP; -u on the command line comes first. "
            "Ports below 1024 then cannot be added by a reload.",
     .reloadable = false},
    {.name = "maxqueued", .type = KeyType::integer, .fallback = "0", .unit = "",
     .doc = "How many messages may wait before new calls and registrations are refused with 503, where max_waiting in [guard] of sip.conf does not "
            "say; 0 leaves it at that key's default.",
     .reloadable = false, .min = 0, .max = 10000000},
    {.name = "maxmsgage", .type = KeyType::milliseconds, .fallback = "0", .unit = "ms",
     .doc = "How long what arrives may lie unread before new calls and registrations are refused with 503, where overload in [guard] of sip.conf does "
            "not say; 0 leaves it at that key's default.",
     .reloadable = false, .min = 0, .max = 60000},
};

/// Of [general], for the modules that take work on: run parameters `general.NAME`.
constexpr std::string_view kCongestion[] = {"maxqueued", "maxmsgage"};

/// A key of Yate's that does nothing here. Whoever gave it a value is told why, where its lack could be noticed.
struct YateKey {
  std::string_view name, why;
};
constexpr std::string_view kThreads = "nothing here waits in a thread, and there is one for all messages";
constexpr std::string_view kRate = "what is too much depends on the machine: overload= and max_waiting= in [guard] of sip.conf notice it, flood_rate= limits one source";
constexpr YateKey kYateGeneral[] = {
    {"maxworkers", kThreads},
    {"minworkers", kThreads},
    {"addworkers", kThreads},
    {"maxmsgrate", kRate},
    {"warntime", "a handler that holds the engine up is always named, from 20 ms on"},
    {"restarts", "leave starting again to what starts the server"},
    {"trackparam", "the parameter is always `handlers`"},
    {"maxevents", ""},
    {"idlemsec", ""},
};
constexpr YateKey kYateTelephony[] = {
    {"maxroute", "calls that wait for their route hold no thread"},
    {"dtmfdups", "digits are passed on as they come"},
};

template <std::size_t N>
constexpr std::array<std::string_view, N> names_of(const YateKey (&keys)[N]) {
  std::array<std::string_view, N> names;
  for (std::size_t i = 0; i < N; ++i) names[i] = keys[i].name;
  return names;
}
constexpr auto kYateGeneralNames = names_of(kYateGeneral);
constexpr auto kYateTelephonyNames = names_of(kYateTelephony);

void name_ineffective(std::string_view section, std::span<const YateKey> keys, const Settings& settings, Problems& problems) {
  for (const auto& [name, why] : keys)
    if (!why.empty() && settings.has(section, name))
      problems.push_back({Problem::Severity::warning, settings.where(section, name), fmt::format("[{}] {} does nothing here: {}", section, name, why)});
}

constexpr Key kTelephonyKeys[] = {
    {.name = "timeout", .type = KeyType::milliseconds, .fallback = "0", .unit = "ms",
     .doc = "How long a call may last where sip.conf's timeout says nothing; 0 is for ever.", .reloadable = false, .min = 0, .max = 604800000},
    {.name = "maxchans", .type = KeyType::integer, .fallback = "0", .unit = "",
     .doc = "How many channels a driver may have where its own file does not say; 0 is any number.", .reloadable = false, .min = 0, .max = 1000000},
    {.name = "takeover_timeout", .type = KeyType::milliseconds, .fallback = "30000", .unit = "ms",
     .doc = "How long handlers of chan.disconnected (a second route, a script) may take to find another way for a call that lost its far "
            "side; after it the call ends. 0 is for ever, Yate's way.",
     .min = 0, .max = 86400000},
};

constexpr Key kRecorderKeys[] = {
    {.name = "calls", .type = KeyType::integer, .fallback = "8192", .unit = "KiB",
     .doc = "Memory for the last calls, about 20 KiB each; 0: nothing is kept of calls.", .min = 0, .max = 4194304},
    {.name = "registrations", .type = KeyType::integer, .fallback = "4096", .unit = "KiB",
     .doc = "Memory for the last registrations, about 4 KiB each; 0: nothing is kept of registrations.", .min = 0, .max = 4194304},
};

constexpr Key kConfigurationKeys[] = {
    {.name = "max_depth", .type = KeyType::integer, .fallback = "10", .unit = "", .doc = "How deep files may include files.", .min = 3, .max = 50},
    {.name = "disable_include_silent", .type = KeyType::boolean, .fallback = "no", .unit = "",
     .doc = "Whether a file that $includesilent does not find is reported after all."},
    {.name = "check_recursive_include", .type = KeyType::boolean, .fallback = "yes", .unit = "",
     .doc = "Whether a file that includes itself is reported at once, not only at max_depth."},
    {.name = "include_empty", .type = KeyType::boolean, .fallback = "no", .unit = "",
     .doc = "Whether an include that names nothing once ${…} is filled in reads its own folder."},
    {.name = "warnings", .type = KeyType::boolean, .fallback = "yes", .unit = "", .doc = "Whether lines that say nothing are reported."},
};

#ifndef JACKFIELD_SHIPPED_MODULES
#define JACKFIELD_SHIPPED_MODULES ""
#endif

constexpr Section kSections[] = {
    {.name = "general", .doc = "", .keys = kGeneralKeys, .ignored = kYateGeneralNames},
    {.name = "modules",
     .doc = "Modules to load: NAME=yes. Yate's NAME.yate=yes means the same. A file NAME.conf alone enables nothing; "
            "`jackfield module enable NAME` writes the line here and says what else is needed.",
     .keys = {},
     .any_key = true,
     .preset = JACKFIELD_SHIPPED_MODULES},
    {.name = "debug",
     .doc = "How much a module logs: NAME=trace, debug, info, warning, error or off; also on, and Yate's numbers 0 to 10.",
     .keys = {},
     .any_key = true,
     .sample = "sip=debug\n"},
    {.name = "run_params",
     .doc = "Run parameters of your own, for ${NAME} in every file. One that exists keeps its value.",
     .keys = {},
     .any_key = true,
     .sample = "site=berlin\n"},
    {.name = "telephony", .doc = "Defaults of everything that makes calls.", .keys = kTelephonyKeys, .ignored = kYateTelephonyNames},
    {.name = "preload",
     .doc = "Shared libraries to load before the modules, with their symbols for all: PATH=yes.",
     .keys = {},
     .any_key = true},
    {.name = "postload", .doc = "The same, once the modules are there.", .keys = {}, .any_key = true},
    {.name = "variables", .doc = "Values that modules share, as ${variables.NAME}.", .keys = {}, .any_key = true},
    {.name = "configuration", .doc = "How files are read.", .keys = kConfigurationKeys},
    {.name = "recorder",
     .doc = "What is kept in memory of the last calls and registrations, for `jackfield explain`: SIP messages, who was asked, what he "
            "answered and changed, passwords and their like masked. The oldest make way for the newest.",
     .keys = kRecorderKeys},
};

constexpr std::string_view kYateSections[] = {"localsym", "nounload", "call"};

}  // namespace

const KeyTable kEngineKeys{.name = "jackfield",
                           .doc = "The engine itself: which modules are loaded, where things are, how much is logged.",
                           .sections = kSections,
                           .yate_name = "yate",
                           .ignored_sections = kYateSections};

EngineSettings read_engine_settings(const Settings& settings, Problems& problems) {
  EngineSettings out{.nodename = settings.text("general", "nodename"),
                     .modpath = settings.text("general", "modpath"),
                     .extrapath = settings.list("general", "extrapath"),
                     .modload = settings.has("general", "modload") ? settings.boolean("general", "modload") : settings.from_yate(),
                     .loglevel = parse_log_level(settings.text("general", "loglevel")).value_or(LogLevel::info),
                     .drain_timeout = settings.duration("general", "drain_timeout"),
                     .takeover_timeout = settings.duration("telephony", "takeover_timeout"),
                     .recorder_calls = static_cast<std::size_t>(settings.integer("recorder", "calls")) * 1024,
                     .recorder_registrations = static_cast<std::size_t>(settings.integer("recorder", "registrations")) * 1024,
                     .user = settings.text("general", "user"),
                     .debug = {},
                     .run_parameters = {}};
  if (const auto* debug = settings.section("debug")) {
    for (const auto& entry : debug->entries) {
      if (const auto level = parse_log_level(entry.value)) out.debug.emplace_back(entry.key, *level);
      else problems.push_back({settings.from_yate() ? Problem::Severity::warning : Problem::Severity::error, entry.where,
                               fmt::format("[debug] {}: `{}` is no level; use trace, debug, info, warning, error, off or 0 to 10", entry.key, entry.value)});
    }
  }
  name_ineffective("general", kYateGeneral, settings, problems);
  name_ineffective("telephony", kYateTelephony, settings, problems);
  if (const auto* parameters = settings.section("run_params"))
    for (const auto& entry : parameters->entries) out.run_parameters.emplace_back(entry.key, entry.value);
  for (const auto name : kCongestion) out.run_parameters.emplace_back(fmt::format("general.{}", name), settings.text("general", name));
  for (const auto& key : kTelephonyKeys)
    out.run_parameters.emplace_back(fmt::format("telephony.{}", key.name), settings.text("telephony", key.name));
  if (const auto* variables = settings.section("variables"))
    for (const auto& entry : variables->entries) out.run_parameters.emplace_back(fmt::format("variables.{}", entry.key), entry.value);
  return out;
}

settings::IncludeRules read_include_rules(const Settings& settings) {
  settings::IncludeRules rules{.max_depth = static_cast<int>(settings.integer("configuration", "max_depth")),
                               .disable_include_silent = settings.boolean("configuration", "disable_include_silent"),
                               .check_recursive_include = settings.boolean("configuration", "check_recursive_include"),
                               .include_empty = settings.boolean("configuration", "include_empty"),
                               .warnings = settings.boolean("configuration", "warnings")};
  // Without the check only the depth ends a recursion, so it is small unless somebody wants it otherwise.
  if (!rules.check_recursive_include && !settings.has("configuration", "max_depth")) rules.max_depth = 3;
  return rules;
}

}  // namespace jackfield
