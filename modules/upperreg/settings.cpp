#include "settings.h"

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::upperreg {
namespace {

constexpr Key kGeneralKeys[] = {
    {.name = "relay_expires", .type = KeyType::seconds, .fallback = "120", .unit = "s",
     .doc = "The longest registration that a phone with credentials of its own at the other server is granted: only itself can register anew there, after "
            "that server lost its memory.",
     .min = 1000, .max = 86400000},
    {.name = "probe_interval", .type = KeyType::seconds, .fallback = "10", .unit = "s",
     .doc = "How often each server is asked whether it still has a contact it granted; one that is missing is registered again, and where a second one is missing, too, all are. "
            "0: never. Only contacts with stored credentials can be asked for.",
     .min = 0, .max = 86400000},
    {.name = "registrations_per_second", .type = KeyType::integer, .fallback = "500", .unit = "",
     .doc = "How many REGISTERs of its own (refreshes, all contacts anew) the module sends in a second; phones' own are not held back.", .min = 1, .max = 100000},
    {.name = "max_aors", .type = KeyType::integer, .fallback = "100000", .unit = "", .doc = "How many users may be registered elsewhere at once; more are answered 503.", .min = 1,
     .max = 10000000},
    {.name = "max_domains", .type = KeyType::integer, .fallback = "100", .unit = "", .doc = "How many domains Thru has connections to at once; phones of more are answered 503.", .min = 1,
     .max = 10000},
    {.name = "max_waiting", .type = KeyType::integer, .fallback = "256", .unit = "",
     .doc = "How many phones' REGISTERs wait for the answer of one server at once; more are answered 504 with Retry-After. While a server does not answer, all are but one "
            "every few seconds, which finds out.", .min = 1, .max = 10000},
    {.name = "file", .type = KeyType::text, .fallback = "upperreg-bindings.conf", .unit = "",
     .doc = "Where the phones' registrations are kept, below the state directory, with the journal that makes them survive a crash beside it; what was agreed with the "
            "other servers is in upperreg-aors.journal. Empty: both are kept in memory only.",
     .reloadable = false},
    {.name = "sync", .type = KeyType::boolean, .fallback = "yes", .unit = "",
     .doc = "Whether a registration is answered only once it would survive a power cut; with no, only the end of the process.", .reloadable = false},
    {.name = "upstream", .type = KeyType::integer, .fallback = "50", .unit = "",
     .doc = "Priority of the answer to user.upstream. A rule or script before it may refuse a phone, or say upper=no, upper=yes, thru=no, thru=yes.", .reloadable = false, .min = 0,
     .max = 10000},
    {.name = "auth", .type = KeyType::integer, .fallback = "60", .unit = "",
     .doc = "Priority of the answer to user.auth without a user: phones whose credentials are another server's are known by where they registered from.", .reloadable = false,
     .min = 0, .max = 10000},
    {.name = "register", .type = KeyType::integer, .fallback = "60", .unit = "",
     .doc = "Priority of the answers to user.register, user.unregister and user.bindings: before the modules that have users.", .reloadable = false, .min = 0, .max = 10000},
    {.name = "entry", .type = KeyType::integer, .fallback = "30", .unit = "",
     .doc = "Priority on call.route at which a call from another server to a contact of ours becomes a call to the user it stands for; before the rules.", .reloadable = false,
     .min = 0, .max = 10000},
    {.name = "route", .type = KeyType::integer, .fallback = "110", .unit = "", .doc = "Priority on call.route at which such a user's phones are found; behind the rules.",
     .reloadable = false, .min = 0, .max = 10000},
    {.name = "execute", .type = KeyType::integer, .fallback = "70", .unit = "",
     .doc = "Priority on call.execute at which a call to another server gets its caller's identity and credentials there.", .reloadable = false, .min = 0, .max = 10000},
};

constexpr Key text(std::string_view name, std::string_view doc, std::string_view fallback = "") {
  return {.name = name, .type = KeyType::text, .fallback = fallback, .unit = "", .doc = doc};
}

// What a connection to a server is given, as accfile's accounts; said once for both sections.
constexpr std::string_view kLoginKeys[] = {"outbound", "ip_transport", "localaddress", "keepalive", "qualify", "parking", "homing", "homing_interval", "retry_interval",
                                           "invite_initial_timeout", "invite_total_timeout"};
#define JACKFIELD_UPPERREG_MODE_KEYS                                                                                                            \
  {.name = "permitted", .type = KeyType::boolean, .fallback = "yes", .unit = "", .doc = "Whether users that say nothing of it (upper=, thru=) are registered elsewhere."}, \
  {.name = "refused", .type = KeyType::choice, .fallback = "local", .unit = "",                                                                   \
   .doc = "What becomes of a user who may not: he is registered here alone, or rejected with 403.", .choices = "local,reject"},                  \
  {.name = "credentials", .type = KeyType::choice, .fallback = "relayed", .unit = "",                                                             \
   .doc = "Of users for whom none are kept here: relayed, the other server's challenge goes to the phone and its answer back, untouched; stored, they may not.", \
   .choices = "relayed,stored"},                                                                                                                  \
  {.name = "unchallenged", .type = KeyType::boolean, .fallback = "no", .unit = "",                                                                \
   .doc = "Whether a server is believed that registers phones without asking them for credentials: whoever reaches us may then register there, and here, as anybody."}, \
  {.name = "interval", .type = KeyType::seconds, .fallback = "3600", .unit = "s", .doc = "For how long a contact is registered with stored credentials.", .min = 1000, \
   .max = 86400000},                                                                                                                              \
  {.name = "upper_sources", .type = KeyType::list, .fallback = "", .unit = "",                                                                    \
   .doc = "Further addresses and networks that calls to our contacts come from, beside the server's own."},                                      \
  text("outbound", "The proxy that all requests go to: HOST, HOST:PORT or a SIP URI."), text("ip_transport", "udp or tcp."),                      \
  text("localaddress", "What Contact says of where we are: yes: as the server sees us; no: our own address; else that host or host:port."),      \
  text("keepalive", "How often, in seconds, the way to the server is kept open; 0: never."),                                                     \
  text("qualify", "How often, in seconds, OPTIONS asks whether the server is there; 0: never."),                                                 \
  text("parking", "Whether we go on to the next server when one fails."),                                                                        \
  text("homing", "What finds out that the main server is back: no, options or invite."),                                                         \
  text("homing_interval", "How often we look, in seconds."),                                                                                     \
  text("retry_interval", "How long we wait, in seconds, when all servers have failed.", "5"),                                                    \
  text("invite_initial_timeout", "After how many milliseconds a request is sent again (timer T1)."),                                             \
  text("invite_total_timeout", "After how many milliseconds without any answer the next server is tried.")

constexpr Key kUpperKeys[] = {
    {.name = "server", .type = KeyType::list, .fallback = "", .unit = "",
     .doc = "The one server that phones are registered at: HOST or HOST:PORT. Further ones behind a comma are the same server's, and tried when the first fails. Empty: no Upper "
            "registration."},
    text("domain", "The domain of the users there; default: the server's host."),
    JACKFIELD_UPPERREG_MODE_KEYS};
constexpr Key kThruKeys[] = {
    {.name = "thru_domains", .type = KeyType::list, .fallback = "", .unit = "",
     .doc = "The domains that phones may name to be registered there: names, or *.SUFFIX for all that end so. Every other foreign domain is answered 403. Empty: no Thru "
            "registration."},
    JACKFIELD_UPPERREG_MODE_KEYS};
#undef JACKFIELD_UPPERREG_MODE_KEYS

constexpr Section kSections[] = {
    {.name = kGeneral, .doc = "", .keys = kGeneralKeys},
    {.name = kUpper,
     .doc = "Every phone that registers here is registered at one other server, under its own name. What a user may do is said where users are, by parameters of user.auth: "
            "upper=yes or no; upper_username, upper_password (or upper_ha1=REALM:HEX) and upper_authname are credentials at that server which are kept here.",
     .keys = kUpperKeys},
    {.name = kThru,
     .doc = "The domain in a phone's own address names the server it is registered at. Of a user: thru=yes or no; thru_domain with thru_username, thru_password, thru_ha1 and "
            "thru_authname are credentials there which are kept here.",
     .keys = kThruKeys},
};

/// The host of `HOST`, `HOST:PORT`, `[V6]:PORT` or a SIP URI.
std::string host_of(std::string_view server) {
  if (const auto scheme = server.find("sip:"); scheme != std::string_view::npos) server.remove_prefix(scheme + 4);
  server = server.substr(0, server.find(';'));
  const auto bracket = server.rfind(']');
  const auto colon = server.find(':', bracket == std::string_view::npos ? 0 : bracket);
  return lower_host(server.substr(0, colon));
}

void read_mode(const Settings& settings, std::string_view section, ModeSettings& out) {
  out.permitted = settings.boolean(section, "permitted");
  out.reject = settings.text(section, "refused") == "reject";
  out.credentials = settings.text(section, "credentials") == "stored" ? Kind::stored : Kind::relayed;
  out.unchallenged = settings.boolean(section, "unchallenged");
  out.interval = std::chrono::floor<std::chrono::seconds>(settings.duration(section, "interval"));
  for (const auto key : kLoginKeys)
    if (auto value = settings.text(section, key); !value.empty()) out.login.emplace_back(key, std::move(value));
  if (const auto sources = settings.list(section, "upper_sources"); !sources.empty()) out.login.emplace_back("allowed", fmt::format("{}", fmt::join(sources, ",")));
}

}  // namespace

const KeyTable kKeys{.name = "upperreg", .doc = "Phones that register here are registered at another server, too (Upper and Thru registration).", .sections = kSections};

std::string_view mode_name(Mode mode) { return mode == Mode::upper ? kUpper : kThru; }
std::string_view kind_name(Kind kind) { return kind == Kind::relayed ? "relayed" : "stored"; }

std::string lower_host(std::string_view host) {
  std::string out(host);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (out.size() > 1 && out.ends_with('.')) out.pop_back();
  return out;
}

bool UpperregSettings::serves(std::string_view host) const {
  return std::ranges::any_of(thru_domains, [&](const std::string& one) {
    return one.starts_with('.') ? host.size() > one.size() && host.ends_with(one) : host == one;
  });
}

bool UpperregSettings::is_upper_host(std::string_view host) const { return std::ranges::find(hosts, host) != hosts.end(); }

UpperregSettings read_settings(const Settings& settings, Problems& problems) {
  UpperregSettings out;
  const auto error = [&](SourceLine where, std::string what) { problems.push_back({Problem::Severity::error, std::move(where), std::move(what)}); };
  out.relay_expires = std::chrono::floor<std::chrono::seconds>(settings.duration(kGeneral, "relay_expires"));
  out.probe_interval = settings.duration(kGeneral, "probe_interval");
  const auto count = [&](std::string_view key) { return static_cast<std::size_t>(settings.integer(kGeneral, key)); };
  out.registrations_per_second = count("registrations_per_second");
  out.max_aors = count("max_aors");
  out.max_domains = count("max_domains");
  out.max_waiting = count("max_waiting");
  out.file = settings.text(kGeneral, "file");
  out.sync = settings.boolean(kGeneral, "sync");
  const auto priority = [&](std::string_view key) { return static_cast<int>(settings.integer(kGeneral, key)); };
  out.upstream_priority = priority("upstream");
  out.auth_priority = priority("auth");
  out.register_priority = priority("register");
  out.entry_priority = priority("entry");
  out.route_priority = priority("route");
  out.execute_priority = priority("execute");

  read_mode(settings, kUpper, out.upper);
  read_mode(settings, kThru, out.thru);

  // BR-3: one server A. Its own further servers stand behind a comma; another `server=` would be another A.
  const Entry* first = nullptr;
  for (const auto& section : settings.sections()) {
    if (section.name != kUpper) continue;
    for (const auto& entry : section.entries) {
      if (entry.key != "server") continue;
      if (first) error(entry.where, fmt::format("server={}: [upper] has one server, and {}:{} says {}; write further servers of the same one behind a comma", entry.value, first->where.file, first->where.line, first->value));
      else first = &entry;
    }
  }
  const auto servers = settings.list(kUpper, "server");
  out.upper.enabled = !servers.empty();
  if (out.upper.enabled) {
    out.upper.login.emplace_back("servers", fmt::format("{}", fmt::join(servers, ",")));
    for (const auto& server : servers) {
      out.hosts.push_back(host_of(server));
      if (out.hosts.back().empty() || server.find_first_of(" \t@<>\"") != std::string::npos)
        error(settings.where(kUpper, "server"), fmt::format("server={}: `{}` is no host; write HOST or HOST:PORT", fmt::join(servers, ","), server));
    }
    out.domain = lower_host(settings.text(kUpper, "domain"));
    if (out.domain.empty()) out.domain = out.hosts.front();
    out.hosts.push_back(out.domain);
    out.upper.login.emplace_back("domain", out.domain);
  }

  for (const auto& written : settings.list(kThru, "thru_domains")) {
    auto domain = lower_host(written);
    const auto where = settings.where(kThru, "thru_domains");
    if (domain == "*" || domain == "*.") {
      error(where, "thru_domains=*: that would carry anybody's registrations anywhere; name the domains, or *.SUFFIX");
      continue;
    }
    if (domain.starts_with("*.")) domain.erase(0, 1);
    if (domain.find_first_of("*@/ \t<>:\"") != std::string::npos || domain.find_first_not_of('.') == std::string::npos) {
      error(where, fmt::format("thru_domains: `{}` is no domain; write a name, or *.SUFFIX", written));
      continue;
    }
    out.thru_domains.push_back(std::move(domain));
  }
  out.thru.enabled = !out.thru_domains.empty();
  // The connection waits for itself; how long contacts that were not heard wait is ours.
  const auto retry = parse_duration(settings.text(out.upper.enabled ? kUpper : kThru, "retry_interval"), std::chrono::seconds(1));
  if (!retry || *retry <= Duration::zero()) error(settings.where(out.upper.enabled ? kUpper : kThru, "retry_interval"), "retry_interval: write how many seconds, more than 0");
  else out.retry_interval = *retry;
  return out;
}

}  // namespace jackfield::upperreg
