#include "settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace jackfield::sip {

namespace {

constexpr std::uint16_t kDnsPort = 53;

constexpr Key kGeneralKeys[] = {
    {"addr", KeyType::list, "", "", "Addresses to listen on; without it all of this machine, IPv4 and IPv6.", true},
    {"port", KeyType::integer, "5060", "", "Port to listen on; 0 takes any free one.", true, 0, 65535},
    {"type", KeyType::list, "udp, tcp", "", "Transports to listen on: udp, tcp."},
    {"advertise", KeyType::text, "", "host[:port]", "How the far side reaches us, where it is not the address of the interface the packets leave by (behind NAT)."},
    {"local_net", KeyType::list, "", "", "Networks towards which the real address is used although advertise is set."},
    {"realm", KeyType::text, "Yate", "", "Realm of our challenges; stored HA1s are made for it."},
    {"useragent", KeyType::text, "Jackfield", "", "What Server and User-Agent headers say; empty sends none."},
    {"domains", KeyType::list, "", "", "Hosts that are ours in To, From and Request-URI; without it every host is."},
    {"trusted", KeyType::list, "", "", "Addresses and networks whose calls are accepted without credentials and without a user."},
    {"deny", KeyType::list, "", "", "Addresses and networks that are refused with 403."},
    {"auth_calls", KeyType::boolean, "yes", "", "Calls need credentials, a trusted source or a rule that accepts them; no accepts every call, as Yate does."},
    {"check_to", KeyType::boolean, "yes", "", "The To of a registration must be one of the authenticated user's own numbers; no is Yate's way."},
    {"check_from", KeyType::boolean, "yes", "", "The From of a call must be one of the authenticated user's own numbers or anonymous; no is Yate's way."},
    {"transfer", KeyType::text, "users", "", "Who may transfer calls and take over ringing ones: users (legs of authenticated users and their phones), yes (everybody, as in Yate) or no."},
    {"redirect", KeyType::choice, "users", "", "Whose redirections (3xx) of calls are followed, as new calls of whoever sends them: users (those of phones of our users), yes (everybody's) or no; others are refused with 403. pass lets the caller see the redirection and its contacts.",
     true, {}, {}, "users,yes,pass,no"},
    {"trust_identity", KeyType::boolean, "yes", "", "Trusted sources are believed who calls and who diverted a call (P-Asserted-Identity, Remote-Party-ID, Diversion, History-Info); from all others these headers are removed."},
    {"check_uri", KeyType::boolean, "yes", "", "The uri of digest credentials must name the user and, where domains is set, the host that the request names (RFC 7616); no is Yate's way."},
    {"digest", KeyType::list, "MD5", "", "Algorithms offered in challenges, in that order: MD5, SHA-256. Some phones fail where SHA-256 is offered at all."},
    {"nonce_lifetime", KeyType::seconds, "300", "s", "How long the answer to a challenge is good; after it phones are challenged anew without being asked for the password.", true, 1000, 86400000},
    {"maxforwards", KeyType::integer, "20", "", "Max-Forwards of requests that begin here.", true, 1, 255},
    {"generate", KeyType::boolean, "no", "", "Scripts may send requests of their own with xsip.generate.", true},
    {"prack", KeyType::boolean, "no", "", "Provisional responses with a description are sent reliably (RFC 3262) to callers who support it, and calls offer it to phones; no does so for callers who require it alone. A route may say otherwise with iprack and prack.", true},
    {"udp_mtu", KeyType::integer, "1300", "bytes", "A call or another request to an address of no phone of ours, whose transport nothing says, goes by TCP when it is longer than this, and by UDP after all when nobody answers there within 2 s, unless it is a text message (RFC 3428); 0 is never.", true, 0, 65535},
    {"ignorevia", KeyType::boolean, "no", "", "Answers go to where the packet came from even where Via names another port of the same address; yes is Yate's way.", false},
    {"maxchans", KeyType::integer, "0", "", "Legs at a time; further calls are refused with 503. 0 is any number.", true, 0, 1000000},
    {"dns_servers", KeyType::list, "", "", "Name servers to ask where hosts are, as address or address:port; without it those of /etc/resolv.conf."},
    {"dns_timeout", KeyType::milliseconds, "5000", "ms", "How long finding out where a host is may take; each question is asked again after a fifth of it.", true, 100, 60000},
    {"registrations_per_second", KeyType::integer, "50", "", "How many connections register at other servers within a second; more wait for their turn.", true, 1, 10000},
    {"t1", KeyType::milliseconds, "500", "ms", "Estimate of a round trip (RFC 3261 timer T1).", false, 10, 60000},
    {"t2", KeyType::milliseconds, "4000", "ms", "Longest interval between retransmissions (timer T2).", false, 10, 60000},
    {"t4", KeyType::milliseconds, "5000", "ms", "How long a message may wander in the network (timer T4).", false, 10, 60000},
    {"linger", KeyType::milliseconds, "0", "ms", "How long finished transactions are remembered; 0 is as RFC 3261 has it.", false, 0, 120000},
    {"tcp_idle", KeyType::seconds, "120", "s", "A connection that carries no binding and no dialog is closed after this silence.", false, 1000, 86400000},
    {"tcp_connect", KeyType::milliseconds, "5000", "ms", "How long setting up a connection may take.", false, 10, 120000},
    {"tcp_first", KeyType::milliseconds, "10000", "ms", "How long a new connection may stay without a byte.", false, 10, 3600000},
    {"tcp_message", KeyType::milliseconds, "10000", "ms", "How long a message on a connection may take from its first byte to its last, where no binding and no dialog is carried.", false, 10, 3600000},
    {"max_connections", KeyType::integer, "10000", "", "Connections at a time; a newcomer beyond takes the place of one that carries nothing and has long been silent.", false, 1, 1000000},
    {"max_connections_per_source", KeyType::integer, "100", "", "Connections of one address that carry no binding and no dialog, as above; 0 is any number.", false, 0, 1000000},
    {"max_header", KeyType::integer, "16384", "bytes", "Longest headers of a message on a connection; longer ones are refused with 513.", false, 1024, 1048576},
    {"max_message", KeyType::integer, "65535", "bytes", "Longest datagram, and longest body on a connection; longer ones are refused with 513 and 413.", false, 2048, 16777216},
};

constexpr std::string_view kIgnoredGeneral[] = {
    "accept_generic_events", "allowed_services", "async_process", "auth_copy_headers", "auth_foreign", "auth_valid_callback", "autochangeparty",
    "body_encoding", "caps_rtp", "change_party", "congestion_retry", "copy_on_refer", "detect_alter_route", "dtmfinband", "dtmfinfo",
    "dtmfmethods", "dtmfmethods_incoming", "expires_def", "fail_on_no_video", "floodevents", "floodprotection", "fork", "forward_sdp",
    "honor_dtmf_detect", "info", "initial_headers", "keepalive", "lazy100", "max_reg_threads", "maxpkt", "missing_cseq_error", "multi_ringing", "nat",
    "nat_address", "odd_port", "options", "party_mutexcount", "preventive_bye", "printmsg", "privacy", "progress", "provisional", "range",
    "refresh_nosdp", "rtp_localip", "rtp_start", "rtpip", "secure", "send_avp", "sip_req_trans_count", "sip_rsp_trans_count", "tcp_keepalive",
    "tcp_keepalive_first", "tcp_maxpkt", "thread", "trace", "tos", "udp_force_bind", "update", "useragent_headers", "video"};

constexpr Key kRegistrarKeys[] = {
    {"enable", KeyType::boolean, "yes", "", "Registrations are accepted at all."},
    {"expires_min", KeyType::seconds, "60", "s", "Shorter registrations are refused with 423 and this value.", true, 1000, 86400000},
    {"expires_def", KeyType::seconds, "600", "s", "What a phone gets that names no duration.", true, 1000, 86400000},
    {"expires_max", KeyType::seconds, "3600", "s", "Longer registrations are shortened to this.", true, 1000, 864000000},
    {"auth_required", KeyType::boolean, "yes", "", "Registrations need credentials or a rule that accepts them; no registers whoever the To header names."},
    {"yate_expires", KeyType::boolean, "no", "", "The Expires header beats a contact's own parameter; no is RFC 3261's order, yes is Yate's."},
    {"max_contacts", KeyType::integer, "0", "", "Bindings a user may have where the user's own max_contacts says nothing; 0 is as many as come, up to 128 (each 200 lists them all, and memory has an end); a larger number is taken at its word, 1 is Yate's way.", true, 0, 1000},
    {"max_contacts_policy", KeyType::choice, "replace-oldest", "", "What a registration beyond that number does: replaces the oldest binding, replaces one that no longer answers, or is refused.",
     true, {}, {}, "replace-oldest,replace-unavailable,reject"},
    {"keepalive", KeyType::choice, "crlf", "", "What keeps the way to phones behind NAT open: empty lines, OPTIONS requests (which also find out who no longer answers), or nothing.",
     true, {}, {}, "crlf,options,no"},
    {"nat_refresh", KeyType::seconds, "12", "s", "Interval of that, for routers with short memories; 25 is Yate's.", true, 1000, 3600000},
};
constexpr std::string_view kIgnoredRegistrar[] = {"async_process", "nat_refresh_reliable", "nat_support"};

constexpr Key kListenerKeys[] = {
    {"enable", KeyType::boolean, "yes", "", "Opens this listener."},
    {"type", KeyType::list, "udp", "", "Transports: udp, tcp."},
    {"addr", KeyType::list, "", "", "Addresses to listen on; without it all of this machine."},
    {"port", KeyType::integer, "5060", "", "Port to listen on; 0 takes any free one.", true, 0, 65535},
    {"advertise", KeyType::text, "", "host[:port]", "As in [general], for this listener; without it the general one's holds."},
    {"local_net", KeyType::list, "", "", "As in [general], beside the general one's."},
    {"trusted", KeyType::list, "", "", "As in [general], beside the general one's."},
    {"deny", KeyType::list, "", "", "As in [general], beside the general one's."},
    {"digest", KeyType::list, "", "", "As in [general], for this listener; without it the general one's holds."},
};
constexpr std::string_view kIgnoredListener[] = {"backlog", "buffer", "default", "interface", "keepalive", "maxpkt", "nat_address", "role", "rtp_localip",
                                                 "send_buffer", "sslcontext", "thread", "tos", "udp_force_bind", "party_mutexcount"};

// Calls. Read by read_call() below.
constexpr Key kCallKeys[] = {
    {"maxcall", KeyType::milliseconds, "180000", "ms", "A call that nobody answers ends after this; 0 is never, Yate's way. A route may say otherwise with maxcall.", true, 0, 86400000},
    {"maxpdd", KeyType::milliseconds, "0", "ms", "A call whose far side neither rings nor sends anything ends after this; 0 is never.", true, 0, 86400000},
    {"timeout", KeyType::milliseconds, "0", "ms", "A call ends after this whether it is answered or not; 0 is never.", true, 0, 604800000},
    {"early_media", KeyType::choice, "first", "", "Sound before the answer when several phones ring: the first phone's alone reaches the caller, or each one's under a To tag of its own.",
     true, {}, {}, "first,each"},
    {"auth_dialog", KeyType::boolean, "no", "", "Every request within an authenticated call needs credentials; no asks only those that come from elsewhere."},
    {"session_expires", KeyType::seconds, "1800", "s", "A call is refreshed within this time, by either side, and ends when its other end is silent (RFC 4028); 0 asks for nothing, Yate's way.", true, 0, 604800000},
    {"session_min", KeyType::seconds, "90", "s", "Shorter refresh times that the other side asks for are refused with 422 and this value (Min-SE).", true, 1000, 604800000},
    {"drop_on_close", KeyType::boolean, "no", "", "A call ends with the connection it was made over, as in Yate; no lets the next request take the phone's newest connection."},
};

constexpr Key kMessageKeys[] = {
    {"enable", KeyType::boolean, "yes", "", "Text messages outside a call (MESSAGE) are routed like calls, with route_type=msg, and delivered; no is Yate's way."},
};
constexpr std::string_view kIgnoredMessage[] = {"auth_required", "async_process"};

constexpr Section kSections[] = {
    {.name = "general", .doc = "The listener every set-up has, and who may do what.", .keys = kGeneralKeys, .ignored = kIgnoredGeneral},
    {.name = "registrar", .doc = "Registrations of phones.", .keys = kRegistrarKeys, .ignored = kIgnoredRegistrar},
    {.name = "call", .doc = "Calls.", .keys = kCallKeys},
    {.name = "guard", .doc = "What strangers, floods and wrong passwords may cost.", .keys = guard::kGuardKeys},
    {.name = "message", .doc = "Text messages.", .keys = kMessageKeys, .ignored = kIgnoredMessage},
    {.name = "listener *", .doc = "Further listeners, one section each; the word after the blank is the listener's name.", .keys = kListenerKeys,
     .sample = "[listener office]\naddr=192.0.2.1\nport=5080\ntype=udp, tcp\n", .ignored = kIgnoredListener},
};
constexpr std::string_view kIgnoredSections[] = {"codecs", "hacks", "methods", "options", "sip-t", "users"};

class Reader {
 public:
  Reader(const Settings& settings, Problems& problems) : settings_(settings), problems_(problems) {}

  std::shared_ptr<const SipSettings> read() {
    auto out = std::make_shared<SipSettings>();
    read_general(*out);
    read_registrar(*out);
    read_call(*out);
    out->guard = guard::read_guard(settings_, [this](std::string_view section, std::string_view key) { return networks(section, key); });
    read_listeners(*out);
    if (settings_.from_yate()) name_differences();
    return out;
  }

 private:
  /// Whoever brings Yate's file is told where silence means something else here, and how to say Yate's (DECISIONS).
  void name_differences() {
    struct Difference { std::string_view section, key, yate, what; };
    static constexpr Difference kDifferences[] = {
        {"general", "auth_calls", "no", "calls need credentials, a trusted= source or a rule that accepts them"},
        {"general", "check_to", "no", "a user registers his own numbers only"},
        {"general", "check_from", "no", "a user calls under his own numbers only"},
        {"general", "check_uri", "no", "credentials are good for the URI they were made for only"},
        {"general", "ignorevia", "yes", "answers without rport go to the port Via names"},
        {"general", "type", "udp", "TCP is listened on too"},
        {"registrar", "nat_refresh", "25", "the way to phones behind NAT is opened anew every 12 s"},
        {"registrar", "yate_expires", "yes", "a contact's expires parameter beats the Expires header"},
        {"registrar", "max_contacts", "1", "a user keeps a binding for each contact"},
        {"general", "transfer", "yes", "only legs of users transfer calls"},
        {"message", "enable", "no", "text messages are routed and delivered"},
        {"call", "maxcall", "0", "a call that nobody answers ends after 180 s"},
        {"call", "session_expires", "0", "calls are refreshed every half hour and end when one side is silent"},
        {"call", "drop_on_close", "yes", "a call outlives the connection it was made over"},
        {"call", "auth_dialog", "yes", "requests within an authenticated call are not challenged where they come from its peer"},
    };
    for (const auto& [section, key, yate, what] : kDifferences)
      if (!settings_.has(section, key))
        problem(section, key, fmt::format("unlike Yate, {}; {}={} in [{}] is Yate's way", what, key, yate, section), Problem::Severity::warning);
  }

  void problem(std::string_view section, std::string_view key, std::string text, Problem::Severity severity = Problem::Severity::error) {
    problems_.push_back({severity, settings_.where(section, key), std::move(text)});
  }

  std::vector<net::Cidr> networks(std::string_view section, std::string_view key) {
    std::vector<net::Cidr> out;
    for (const auto& text : settings_.list(section, key)) {
      if (auto network = net::Cidr::parse(text)) out.push_back(*network);
      else problem(section, key, fmt::format("{}: \"{}\" is no address or network; write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32", key, text));
    }
    return out;
  }

  std::vector<digest::Algorithm> algorithms(std::string_view section) {
    std::vector<digest::Algorithm> out;
    for (const auto& name : settings_.list(section, "digest")) {
      const auto algorithm = digest::algorithm_from(name);
      if (!algorithm) problem(section, "digest", fmt::format("digest: \"{}\" is not MD5 or SHA-256", name));
      else if (std::find(out.begin(), out.end(), *algorithm) == out.end()) out.push_back(*algorithm);
    }
    return out;
  }

  void read_general(SipSettings& out) {
    const std::string_view s = "general";
    out.realm = settings_.text(s, "realm");
    if (out.realm.empty()) problem(s, "realm", "realm: a challenge needs one; leave the key out for the default");
    out.useragent = settings_.text(s, "useragent");
    out.domains = settings_.list(s, "domains");
    for (auto& domain : out.domains) std::transform(domain.begin(), domain.end(), domain.begin(), [](unsigned char c) { return std::tolower(c); });
    out.access = {.trusted = networks(s, "trusted"), .deny = networks(s, "deny"), .digest = algorithms(s)};
    if (out.access.digest.empty()) out.access.digest = {digest::Algorithm::md5};
    out.auth_calls = settings_.boolean(s, "auth_calls");
    out.check_to = settings_.boolean(s, "check_to");
    out.check_from = settings_.boolean(s, "check_from");
    out.trust_identity = settings_.boolean(s, "trust_identity");
    out.messages = settings_.boolean("message", "enable");
    const auto transfer = settings_.text(s, "transfer");
    const auto anyone = parse_boolean(transfer);
    out.transfer = !anyone ? TransferPolicy::users : *anyone ? TransferPolicy::anyone : TransferPolicy::nobody;
    if (!anyone && transfer != "users") problem(s, "transfer", fmt::format("transfer: \"{}\" is not users, yes or no", transfer));
    out.check_uri = settings_.boolean(s, "check_uri");
    out.nonce_lifetime = seconds(s, "nonce_lifetime");
    out.generate = settings_.boolean(s, "generate");
    out.prack = settings_.boolean(s, "prack");
    const auto redirect = settings_.text(s, "redirect");
    out.redirect = redirect == "users"  ? RedirectPolicy::users
                   : redirect == "yes"  ? RedirectPolicy::anyone
                   : redirect == "pass" ? RedirectPolicy::pass
                                        : RedirectPolicy::nobody;
    out.udp_mtu = static_cast<std::size_t>(settings_.integer(s, "udp_mtu"));
    for (const auto& text : settings_.list(s, "dns_servers")) {
      if (const auto server = net::Address::parse_with_port(text, kDnsPort); server && server->port() != 0) out.dns.servers.push_back(*server);
      else problem(s, "dns_servers", fmt::format("dns_servers: \"{}\" is no address; write 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353", text));
    }
    out.dns.deadline = settings_.duration(s, "dns_timeout");
    out.max_forwards = static_cast<unsigned>(settings_.integer(s, "maxforwards"));
    out.max_channels = static_cast<unsigned>(settings_.integer(s, "maxchans"));
    out.registrations_per_second = static_cast<unsigned>(settings_.integer(s, "registrations_per_second"));
    auto& t = out.transactions;
    t.t1 = settings_.duration(s, "t1");
    t.t2 = settings_.duration(s, "t2");
    t.t4 = settings_.duration(s, "t4");
    t.linger = settings_.duration(s, "linger");
    t.ignore_via = settings_.boolean(s, "ignorevia");
    out.transport.tcp_idle = settings_.duration(s, "tcp_idle");
    out.transport.tcp_connect_timeout = settings_.duration(s, "tcp_connect");
    out.transport.tcp_first = settings_.duration(s, "tcp_first");
    out.transport.tcp_message = settings_.duration(s, "tcp_message");
    out.transport.max_connections = static_cast<std::size_t>(settings_.integer(s, "max_connections"));
    out.transport.max_per_source = static_cast<std::size_t>(settings_.integer(s, "max_connections_per_source"));
    out.transport.max_header_bytes = static_cast<std::size_t>(settings_.integer(s, "max_header"));
    out.transport.max_message = static_cast<std::size_t>(settings_.integer(s, "max_message"));
  }

  void read_registrar(SipSettings& out) {
    const std::string_view s = "registrar";
    auto& r = out.registrar;
    r.enabled = settings_.boolean(s, "enable");
    r.expires_min = seconds(s, "expires_min");
    r.expires_def = seconds(s, "expires_def");
    r.expires_max = seconds(s, "expires_max");
    if (r.expires_min > r.expires_max)
      problem(s, "expires_min", fmt::format("expires_min: {} is more than expires_max ({})", r.expires_min.count(), r.expires_max.count()));
    r.expires_def = std::clamp(r.expires_def, std::min(r.expires_min, r.expires_max), r.expires_max);
    r.auth_required = settings_.boolean(s, "auth_required");
    r.yate_expires = settings_.boolean(s, "yate_expires");
    r.max_contacts = static_cast<unsigned>(settings_.integer(s, "max_contacts"));
    const auto policy = settings_.text(s, "max_contacts_policy");
    r.max_contacts_policy = policy == "reject"                ? MaxContactsPolicy::reject
                            : policy == "replace-unavailable" ? MaxContactsPolicy::replace_unavailable
                                                              : MaxContactsPolicy::replace_oldest;
    const auto keepalive = settings_.text(s, "keepalive");
    r.keepalive = keepalive == "options" ? Keepalive::options : keepalive == "crlf" ? Keepalive::crlf : Keepalive::none;
    r.nat_refresh = settings_.duration(s, "nat_refresh");
    if (r.max_contacts_policy == MaxContactsPolicy::replace_unavailable && r.keepalive != Keepalive::options)
      problem(s, "max_contacts_policy", "max_contacts_policy: only keepalive=options finds out which phones behind NAT no longer answer",
              Problem::Severity::warning);
  }

  void read_call(SipSettings& out) {
    const std::string_view s = "call";
    auto& c = out.call;
    c.maxcall = settings_.duration(s, "maxcall");
    c.maxpdd = settings_.duration(s, "maxpdd");
    c.timeout = settings_.duration(s, "timeout");
    c.early_media = settings_.text(s, "early_media") == "each" ? EarlyMedia::each : EarlyMedia::first;
    c.auth_dialog = settings_.boolean(s, "auth_dialog");
    c.drop_on_close = settings_.boolean(s, "drop_on_close");
    c.session.interval = static_cast<std::uint32_t>(seconds(s, "session_expires").count());
    c.session.minimum = static_cast<std::uint32_t>(seconds(s, "session_min").count());
    if (c.session.interval != 0 && c.session.interval < c.session.minimum)
      problem(s, "session_expires", fmt::format("session_expires: {} is less than session_min ({})", c.session.interval, c.session.minimum));
    out.transactions.timer_c = std::chrono::milliseconds(0);  // maxcall is a call's own, and may be longer
  }

  void read_listeners(SipSettings& out) {
    add_listener(out, "general", "general", out.access);
    for (const auto& section : settings_.sections()) {
      if (!section.name.starts_with("listener ")) continue;
      if (!settings_.boolean(section.name, "enable")) continue;
      if (settings_.has(section.name, "sslcontext"))
        problem(section.name, "sslcontext", "sslcontext: this version has no TLS; the certificate is not used, and nothing of this listener is encrypted",
                Problem::Severity::warning);
      auto access = out.access;
      for (auto& network : networks(section.name, "trusted")) access.trusted.push_back(network);
      for (auto& network : networks(section.name, "deny")) access.deny.push_back(network);
      if (auto own = algorithms(section.name); !own.empty()) access.digest = std::move(own);
      add_listener(out, section.name, section.name.substr(9), access);
    }
  }

  void add_listener(SipSettings& out, const std::string& section, const std::string& name, const AccessSettings& access) {
    const bool general = section == "general";
    const auto port = static_cast<std::uint16_t>(settings_.integer(section, "port"));
    stack::ListenerOptions options{.name = name};
    std::string_view advertised_by = section;
    if (!general && settings_.text(section, "advertise").empty()) advertised_by = "general";
    advertise(advertised_by, options);
    options.local_net = networks("general", "local_net");
    if (!general) for (auto& network : networks(section, "local_net")) options.local_net.push_back(network);

    struct Bind { net::Address address; bool optional; };
    std::vector<Bind> binds;
    for (const auto& text : settings_.list(section, "addr")) {
      if (auto address = net::Address::parse(text, port)) binds.push_back({*address, false});
      else problem(section, "addr", fmt::format("addr: \"{}\" is no IP address", text));
    }
    if (binds.empty()) binds = {{*net::Address::parse("0.0.0.0", port), false}, {*net::Address::parse("::", port), true}};

    for (const auto& type : settings_.list(section, "type")) {
      if (type == "udp") options.kind = stack::TransportKind::udp;
      else if (type == "tcp") options.kind = stack::TransportKind::tcp;
      else {
        problem(section, "type", fmt::format("type: there is no transport \"{}\" (udp, tcp); [{}] does not listen on it", type, section),
                settings_.from_yate() ? Problem::Severity::warning : Problem::Severity::error);
        continue;
      }
      for (const auto& bind : binds) {
        options.bind = bind.address;
        out.listeners.push_back({options, access, bind.optional});
      }
    }
  }

  void advertise(std::string_view section, stack::ListenerOptions& options) {
    const auto text = settings_.text(section, "advertise");
    const auto colon = text.rfind(':');
    const bool has_port = colon != std::string::npos && (text.find(':') == colon || text[colon - 1] == ']');
    options.advertise_host = text.substr(0, has_port ? colon : std::string::npos);
    if (!has_port) return;
    const auto digits = std::string_view(text).substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), options.advertise_port);
    if (error != std::errc{} || end != digits.data() + digits.size() || options.advertise_port == 0)
      problem(section, "advertise", fmt::format("advertise: \"{}\" is no port", digits));
  }

  std::chrono::seconds seconds(std::string_view section, std::string_view key) {
    return std::chrono::ceil<std::chrono::seconds>(settings_.duration(section, key));
  }

  const Settings& settings_;
  Problems& problems_;
};

bool any_contains(const std::vector<net::Cidr>& networks, const net::Address& source) {
  return std::any_of(networks.begin(), networks.end(), [&](const net::Cidr& network) { return network.contains(source); });
}

}  // namespace

extern const KeyTable kSipKeys = {
    .name = "sip",
    .doc = "The SIP channel: listeners, registrations, calls.",
    .sections = kSections,
    .yate_name = "ysipchan",
    .ignored_sections = kIgnoredSections,
};

bool AccessSettings::is_trusted(const net::Address& source) const { return any_contains(trusted, source); }
bool AccessSettings::is_denied(const net::Address& source) const { return any_contains(deny, source); }

const AccessSettings& SipSettings::access_of(std::string_view listener) const {
  for (const auto& each : listeners)
    if (each.options.name == listener) return each.access;
  return access;
}

bool SipSettings::is_our_domain(std::string_view host) const {
  const auto same = [host](const std::string& domain) {
    return std::equal(domain.begin(), domain.end(), host.begin(), host.end(), [](char ours, unsigned char theirs) { return ours == std::tolower(theirs); });
  };
  return domains.empty() || std::any_of(domains.begin(), domains.end(), same);
}

std::shared_ptr<const SipSettings> read_settings(const Settings& settings, Problems& problems) { return Reader(settings, problems).read(); }

}  // namespace jackfield::sip
