#include "settings.h"

namespace jackfield::accfile {
namespace {

constexpr Key kGeneralKeys[] = {
    {.name = "reload", .type = KeyType::boolean, .fallback = "yes", .unit = "",
     .doc = "Whether a reload logs in accounts that are new or changed and logs out those that are gone; no is Yate's way: only auto_oper is done."},
    {.name = "auto_oper", .type = KeyType::list, .fallback = "", .unit = "",
     .doc = "Operations that a reload does with every account, as in Yate: logout,login. Empty: what did not change is left alone."},
    {.name = "realm", .type = KeyType::text, .fallback = "Yate", .unit = "",
     .doc = "The realm of sip.conf: `jackfield connection add NAME --type inbound` makes hashed passwords for it."},
    {.name = "file", .type = KeyType::text, .fallback = "accfile-bindings.conf", .unit = "",
     .doc = "Where the registrations of inbound connections are kept, below the state directory; the journal that makes them survive a crash is beside it. "
            "Empty: they are kept in memory only.",
     .reloadable = false},
    {.name = "sync", .type = KeyType::boolean, .fallback = "yes", .unit = "",
     .doc = "Whether such a registration is answered only once it would survive a power cut; with no, only the end of the process.", .reloadable = false},
    {.name = "auth", .type = KeyType::integer, .fallback = "40", .unit = "",
     .doc = "Priority of the answers to user.auth, user.register and user.unregister for inbound connections; lower runs first.", .reloadable = false, .min = 0, .max = 10000},
    {.name = "owner", .type = KeyType::integer, .fallback = "30", .unit = "",
     .doc = "Priority on call.route at which a call that came in by an account with an owner becomes a call to the owner.", .reloadable = false, .min = 0, .max = 10000},
    {.name = "route", .type = KeyType::integer, .fallback = "120", .unit = "",
     .doc = "Priority on call.route at which dial_pattern chooses an account: behind the users and the rules.", .reloadable = false, .min = 0, .max = 10000},
    {.name = "execute", .type = KeyType::integer, .fallback = "80", .unit = "",
     .doc = "Priority on call.execute and msg.execute at which a call by an inbound connection finds the contact that the other side registered; before sip's 90.",
     .reloadable = false, .min = 0, .max = 10000},
};

constexpr Key text(std::string_view name, std::string_view doc) {
  return {.name = name, .type = KeyType::text, .fallback = "", .unit = "", .doc = doc, .literal = true};
}
constexpr Key secret(std::string_view name, std::string_view doc) {
  return {.name = name, .type = KeyType::secret, .fallback = "", .unit = "", .doc = doc};
}

/// Yate's keys are texts: what they may be is said by whoever performs the account.
constexpr Key kAccountKeys[] = {
    {.name = account_key::kEnabled, .type = KeyType::boolean, .fallback = "", .unit = "", .doc = "Whether the account is in force. Default: yes where there is a username."},
    {.name = account_key::kType, .type = KeyType::choice, .fallback = "", .unit = "",
     .doc = "registration: we register at a server. trunk: nobody registers, the other side is known by its addresses. inbound: the other side registers "
            "here. Default, as in Yate: a registration where there are a username and a registrar or server, else a trunk with its server's addresses.",
     .choices = "registration,trunk,inbound"},
    text(account_key::kProtocol, "sip."),
    text(account_key::kUsername, "Who we are at the server; of an inbound connection, who the other side is here."),
    secret(account_key::kPassword, "The password that answers the server's challenges; of an inbound connection, the other side's."),
    secret(account_key::kPasswordMd5, "Of an inbound connection, instead of the password: REALM:HEX, the MD5 of user:realm:password."),
    secret(account_key::kPasswordSha256, "The same with SHA-256."),
    text("authname", "The name in credentials where it is not the username."),
    text("description", "The name shown beside the number in From."),
    text(account_key::kRegistrar, "The server we register at: HOST or HOST:PORT. registrar.1, registrar.2… are those of server.1, server.2…"),
    text(account_key::kServer, "The server calls go to; alone also the registrar. server.1, server.2… are tried when it fails."),
    text(account_key::kServers, "Instead of server, server.1…: all of them in order, comma-separated."),
    text("outbound", "The proxy that all requests go to: HOST, HOST:PORT or a SIP URI."),
    text("domain", "The domain of From, To and Request-URI; default: the registrar."),
    text("use_domain", "Whether the Request-URI of REGISTER is the domain instead of the registrar."),
    text(account_key::kInterval, "For how long we register, in seconds. Default: 600, as in Yate."),
    text("retry_interval", "How long we wait when all servers have failed or one has refused."),
    text("ip_transport", "udp or tcp."),
    text("ip_transport_localip", "The address to leave by."),
    text("ip_transport_localport", "The port to leave by."),
    text("ip_transport_remoteip", "Where to send requests, where it is not the registrar."),
    text("ip_transport_remoteport", "The port there."),
    text("localaddress", "What Contact says of where we are: yes, auto: as the server sees us; no: our own address; else that host or host:port."),
    text("keepalive", "How often, in seconds, the way to the server is kept open; 0: never."),
    text("keepalive_method", "With what: crlf, options or notify."),
    text("qualify", "How often, in seconds, OPTIONS asks whether the server is there; 0: never."),
    text("match_port", "Whether calls must come from the server's port, too."),
    text("match_user", "Whether calls must be for our username."),
    text(account_key::kAllowed, "Addresses and networks whose calls belong to this account. A trunk needs them."),
    text(account_key::kOwner, "The user whose phones ring for every call that comes in by this account, whatever number was called."),
    text(account_key::kDialPattern, "Regular expression (POSIX extended) of the numbers that users call by this account, such as ^0[1-9]; `.` is any number."),
    {.name = account_key::kWeight, .type = KeyType::integer, .fallback = "100", .unit = "",
     .doc = "Which account is taken when several patterns fit: the one with the lowest weight, of equal ones the first by name.", .min = 0, .max = 1'000'000},
    text("parking", "Whether we go on to the next server when one fails; yes, unless homing says that we return."),
    text("homing", "What finds out that the main server is back: no (we stay where we are), options, register or invite."),
    text("homing_interval", "How often we look, in seconds."),
    text("invite_initial_timeout", "After how many milliseconds a request is sent again (timer T1)."),
    text("invite_total_timeout", "After how many milliseconds without any answer the next server is tried."),
    text("transfer", "Whether the other side may transfer calls."),
    text("redirect", "Whether the other side may redirect calls."),
    text("trust_identity", "Whether identities are told to the other side, and believed from it."),
    {.name = account_key::kMaxContacts, .type = KeyType::integer, .fallback = "1", .unit = "",
     .doc = "How many contacts an inbound connection may register; a new one pushes out the oldest. 0 is any number.", .min = 0, .max = 1000},
};

/// Yate's, which are passed on with all others and have no sentence of their own here.
constexpr std::string_view kFurtherKeys[] = {"sips", "xsip_flags", "xsip_trans_count", "connection", "internalaccount", "nat", "formats", "options", "resource",
                                             "port", "gatekeeper", "transport", "context", "line", "rtp_localip"};

constexpr Section kSections[] = {
    {.name = kGeneral, .doc = "", .keys = kGeneralKeys},
    {.name = "*",
     .doc = "Every other section is an account. All its keys become parameters of user.login, those not named here as well: `reg:osip_NAME` is a header of "
            "REGISTER, `inb:NAME` a parameter of calls that come in, `out:NAME` one of calls that go out.",
     .keys = kAccountKeys,
     .any_key = true,
     .sample = "`jackfield connection add` writes sections like these:\n"
               "[carrier]\ntype=registration\nserver=sip.example.net\nusername=4930123456\npassword=\ninterval=300\ndial_pattern=^0\nowner=101\n"
               "[office]\ntype=trunk\nserver=192.0.2.7\nallowed=192.0.2.0/24\n"},
};

}  // namespace

const KeyTable kKeys{.name = "accfile", .doc = "Accounts in a file: the servers we register at, the trunks, and who registers here as a server.", .sections = kSections};

GeneralSettings read_general(const Settings& settings) {
  const auto priority = [&](std::string_view key) { return static_cast<int>(settings.integer(kGeneral, key)); };
  return {.reload = settings.boolean(kGeneral, "reload"),
          .auto_oper = settings.list(kGeneral, "auto_oper"),
          .realm = settings.text(kGeneral, "realm"),
          .file = settings.text(kGeneral, "file"),
          .sync = settings.boolean(kGeneral, "sync"),
          .auth_priority = priority("auth"),
          .owner_priority = priority("owner"),
          .route_priority = priority("route"),
          .execute_priority = priority("execute")};
}

std::vector<std::string_view> known_account_keys() {
  std::vector<std::string_view> names(std::begin(kFurtherKeys), std::end(kFurtherKeys));
  for (const auto& key : kAccountKeys) names.push_back(key.name);
  return names;
}

}  // namespace jackfield::accfile
