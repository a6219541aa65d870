#include "settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "net/address.h"

namespace jackfield::extmodule {
namespace {

constexpr std::string_view kGeneral = "general", kScripts = "scripts", kExecute = "execute", kListenerPrefix = "listener ";

constexpr Key kGeneralKeys[] = {
    {.name = "scripts_dir", .type = KeyType::text, .fallback = "", .unit = "",
     .doc = "Where scripts are that are named without a path. Empty: scripts below the shared files (${sharedpath})."},
    {.name = "priority", .type = KeyType::integer, .fallback = "100", .unit = "", .doc = "Priority of handlers that a script installs without one.", .min = 0, .max = 10000},
    {.name = "timeout", .type = KeyType::milliseconds, .fallback = "10000", .unit = "ms",
     .doc = "How long a script may take to answer; then the message goes on without it.", .min = 1, .max = 3600000},
    {.name = "timebomb", .type = KeyType::boolean, .fallback = "no", .unit = "", .doc = "Whether a script that does not answer in time is ended."},
    {.name = "maxqueue", .type = KeyType::integer, .fallback = "1000", .unit = "", .doc = "How many messages may wait for one script; further ones go on without it. 0: any number.",
     .min = 0, .max = 100000},
    {.name = "settime", .type = KeyType::boolean, .fallback = "no", .unit = "", .doc = "Whether messages of scripts always have the server's time."},
    {.name = "dry_run", .type = KeyType::boolean, .fallback = "no", .unit = "",
     .doc = "Whether `jackfield route` asks scripts, too. Say yes where they change nothing when the message says dry_run=true; a script says it for itself with "
            "setlocal:dry_run:true."},
    {.name = "trackparam", .type = KeyType::boolean, .fallback = "no", .unit = "", .doc = "Whether the message's `handlers` parameter names this module for scripts."},
    {.name = "restart", .type = KeyType::choice, .fallback = "failure", .unit = "",
     .doc = "When a script that ended is started again, after a pause that grows from 0.1 to 30 s: never (Yate's way), after a failure, or always. A script that sets restart=true always is.",
     .choices = "never,failure,always"},
    {.name = "breaker", .type = KeyType::integer, .fallback = "5", .unit = "",
     .doc = "After so many late answers in a row a script is not asked for breaker_pause, so that calls do not wait for it; 0: it always is.", .min = 0, .max = 1000},
    {.name = "breaker_pause", .type = KeyType::milliseconds, .fallback = "10000", .unit = "ms", .doc = "See breaker.", .min = 100, .max = 3600000},
    {.name = "max_calls", .type = KeyType::integer, .fallback = "200", .unit = "",
     .doc = "How many calls may have a script of their own at once (external/nodata/SCRIPT); further ones are refused.", .min = 0, .max = 100000},
    {.name = "on_fail", .type = KeyType::text, .fallback = "", .unit = "",
     .doc = "Where calls go whose call.route a script did not answer in time (sip/sip:desk@192.0.2.1). Empty: to the next handler."},
};

constexpr Key kListenerKeys[] = {
    {.name = "type", .type = KeyType::choice, .fallback = "tcp", .unit = "", .doc = "tcp, or unix: a socket in the file system.", .reloadable = false, .choices = "tcp,unix"},
    {.name = "addr", .type = KeyType::text, .fallback = "127.0.0.1", .unit = "", .doc = "The address to listen on; one that is not loopback needs a secret.", .reloadable = false},
    {.name = "port", .type = KeyType::integer, .fallback = "", .unit = "", .doc = "The TCP port.", .reloadable = false, .min = 1, .max = 65535},
    {.name = "path", .type = KeyType::text, .fallback = "", .unit = "", .doc = "The socket's path; its owner only may connect.", .reloadable = false},
    {.name = "role", .type = KeyType::choice, .fallback = "any", .unit = "",
     .doc = "What a connection is: global has to do with the whole bus, channel makes one call of its own by a call.execute. any: its first line "
            "says which (%%>connect:channel); without one it is global.",
     .reloadable = false, .choices = "any,global,channel"},
    {.name = "secret", .type = KeyType::secret, .fallback = "", .unit = "",
     .doc = "Has to be told in the first line, %%>auth:SECRET, which is answered %%<auth:true.", .reloadable = false},
    {.name = "secret_timeout", .type = KeyType::milliseconds, .fallback = "10000", .unit = "ms", .doc = "How long somebody may stay who has not told the secret.",
     .reloadable = false, .min = 100, .max = 600000},
    {.name = "fail_delay", .type = KeyType::milliseconds, .fallback = "1000", .unit = "ms",
     .doc = "How long the answer to a wrong secret takes; it doubles with each further one from the same address, five times at most.", .reloadable = false, .min = 0,
     .max = 60000},
    {.name = "trust", .type = KeyType::text, .fallback = "owner", .unit = "",
     .doc = "Whose processes on this machine may connect by TCP where there is no secret: owner is the user the server runs as, and root; names of accounts, "
            "separated by commas, are those, too; any (Yate's way) is everybody who has an account on this machine.",
     .reloadable = false},
};

constexpr std::string_view kIgnored[] = {"waitflush"};

constexpr Section kSections[] = {
    {.name = kGeneral, .doc = "", .keys = kGeneralKeys, .ignored = kIgnored},
    {.name = "listener *",
     .doc = "Sockets that scripts connect to.",
     .keys = kListenerKeys,
     .sample = "[listener scripts]\ntype=unix\npath=/run/jackfield/scripts\n"},
    {.name = kScripts, .doc = "Scripts to start with the server: name=argument.", .keys = {}, .any_key = true, .sample = "route.py=\n"},
    {.name = kExecute, .doc = "Programs to start with the server that do not speak to it: name=argument.", .keys = {}, .any_key = true},
};

Role role_from(std::string_view text) {
  if (text == "global") return Role::global;
  return text == "channel" ? Role::channel : Role::open;
}

Restart restart_from(std::string_view text) {
  if (text == "never") return Restart::never;
  return text == "always" ? Restart::always : Restart::failure;
}

ListenerSettings read_listener(const Settings& settings, const SettingsSection& section, Problems& problems) {
  const auto add = [&](Problem::Severity severity, std::string_view text) { problems.push_back({severity, section.where, fmt::format("[{}]: {}", section.name, text)}); };
  const auto error = [&](std::string_view text) { add(Problem::Severity::error, text); };
  ListenerSettings listener{.name = section.name.substr(kListenerPrefix.size()),
                            .is_local = settings.text(section.name, "type") == "unix",
                            .address = settings.text(section.name, "addr"),
                            .path = settings.text(section.name, "path"),
                            .role = role_from(settings.text(section.name, "role")),
                            .secret = settings.text(section.name, "secret"),
                            .secret_timeout = settings.duration(section.name, "secret_timeout"),
                            .fail_delay = settings.duration(section.name, "fail_delay"),
                            .trust = {},
                            .where = section.where};
  if (listener.is_local) {
    if (listener.path.empty()) error("type=unix needs path=");
    return listener;
  }
  if (!settings.has(section.name, "port")) error("type=tcp needs port=");
  else listener.port = static_cast<std::uint16_t>(settings.integer(section.name, "port"));
  const auto address = net::Address::parse(listener.address);
  if (!address) error(fmt::format("addr={} is no address", listener.address));
  else if (!address->is_loopback() && listener.secret.empty())
    error(fmt::format("whoever reaches {} would command this server: set secret=, or listen on 127.0.0.1", listener.address));
  if (auto trust = door::Trust::parse(settings.text(section.name, "trust"))) listener.trust = std::move(*trust);
  else error(fmt::format("trust=: {}", trust.error()));
  if (!listener.secret.empty()) return listener;
  if (listener.trust.everybody())
    add(Problem::Severity::warning, fmt::format("trust=any: {} may command the server through port {}: set secret=, or trust=owner", listener.trust.text(), listener.port));
  else if (settings.from_yate())
    add(Problem::Severity::warning, fmt::format("only scripts of {} may connect to port {} (trust=any is Yate's way: everybody on this machine)", listener.trust.text(), listener.port));
  return listener;
}

std::vector<std::pair<std::string, std::string>> pairs(const Settings& settings, std::string_view section) {
  std::vector<std::pair<std::string, std::string>> read;
  if (const auto* found = settings.section(section))
    for (const auto& entry : found->entries) read.emplace_back(entry.key, entry.value);
  return read;
}

}  // namespace

const KeyTable kKeys{.name = "extmodule", .doc = "External scripts: programs in any language that answer and send messages, over pipes or sockets.", .sections = kSections};

ExtModuleSettings read_settings(const Settings& settings, Problems& problems) {
  ExtModuleSettings read;
  read.scripts = {.folder = settings.text(kGeneral, "scripts_dir"), .restart = restart_from(settings.text(kGeneral, "restart")), .locals = {},
                  .most_calls = static_cast<std::size_t>(settings.integer(kGeneral, "max_calls"))};
  Locals& locals = read.scripts.locals;
  locals.timeout = settings.duration(kGeneral, "timeout");
  locals.timebomb = settings.boolean(kGeneral, "timebomb");
  locals.maxqueue = static_cast<std::size_t>(settings.integer(kGeneral, "maxqueue"));
  locals.settime = settings.boolean(kGeneral, "settime");
  locals.dry_run = settings.boolean(kGeneral, "dry_run");
  locals.trackparam = settings.boolean(kGeneral, "trackparam") ? "extmodule" : "";
  locals.priority = static_cast<int>(settings.integer(kGeneral, "priority"));
  locals.breaker = static_cast<int>(settings.integer(kGeneral, "breaker"));
  locals.breaker_pause = settings.duration(kGeneral, "breaker_pause");
  locals.on_fail = settings.text(kGeneral, "on_fail");
  if (settings.from_yate() && !settings.has(kGeneral, "restart")) {
    read.scripts.restart = Restart::never;
  }
  for (const auto& section : settings.sections())
    if (section.name.starts_with(kListenerPrefix)) read.listeners.push_back(read_listener(settings, section, problems));
  read.started = pairs(settings, kScripts);
  read.executed = pairs(settings, kExecute);
  return read;
}

}  // namespace jackfield::extmodule
