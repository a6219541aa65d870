#include "settings.h"

#include "shipped_queries.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace jackfield::register_module {
namespace {

constexpr std::string_view kGeneral = "general", kDefault = "default";
constexpr std::string_view kAuth = "user.auth", kRegister = "user.register", kUnregister = "user.unregister", kBindings = "user.bindings",
                           kTimer = "engine.timer", kPreroute = "call.preroute", kRoute = "call.route", kCdr = "call.cdr", kLines = "linetracker",
                           kFallback = "fallback", kAccounts = "accounts", kDisconnected = "chan.disconnected", kAnswered = "call.answered", kHangup = "chan.hangup", kStopError = "stoperror";
constexpr std::string_view kDeadline = "5s", kRecordDeadline = "10s";

constexpr Key on(std::string_view name, std::string_view doc) {
  return {.name = name, .type = KeyType::boolean, .fallback = "no", .unit = "", .doc = doc};
}
constexpr Key sql(std::string_view name, std::string_view doc) {
  return {.name = name, .type = KeyType::text, .fallback = "", .unit = "", .doc = doc, .literal = true};
}

constexpr Key kGeneralKeys[] = {
    on(kAuth, "Whether users are looked up in the database when they show their credentials."),
    on(kRegister, "Whether registrations are written to the database."),
    on(kUnregister, "Whether the end of registrations is written to the database."),
    on(kBindings, "Whether registrations are read back after a restart, and for a user who is not known."),
    on(kTimer, "Whether a query runs again and again, to remove what has expired."),
    on(kPreroute, "Whether the database is asked before a call is routed."),
    on(kRoute, "Whether the database routes calls."),
    on(kCdr, "Whether call records are written to the database."),
    on(kLines, "Whether calls that are under way are counted in the database."),
    on(kAccounts, "Whether connections to other servers are read from the database."),
    on(kFallback, "Whether further rows of [call.route] are tried one after another when the first target fails. The next three switch its parts."),
    on(kDisconnected, "Default: as fallback. Whether the next target is tried when a call lost its far end."),
    on(kAnswered, "Default: as fallback. Whether an answer ends that."),
    on(kHangup, "Default: as fallback. Whether the end of the call ends that."),
    {.name = "expires", .type = KeyType::seconds, .fallback = "30", .unit = "s", .doc = "How often the query of [engine.timer] runs.", .min = 1000, .max = 86'400'000},
    {.name = kStopError, .type = KeyType::text, .fallback = "", .unit = "",
     .doc = "Regular expression (POSIX basic) of the reasons after which no further target is tried, such as busy."},
    {.name = "allow_empty_password", .type = KeyType::boolean, .fallback = "no", .unit = "",
     .doc = "Whether a user whose password is NULL or empty in the database, and who has no hash, is let in without one, as Yate does; else he is refused."},
    {.name = "cache_max", .type = KeyType::integer, .fallback = "10000", .unit = "", .doc = "How many answers are kept for sections with cache_stale.", .min = 1, .max = 10'000'000},
    {.name = "records_in_memory", .type = KeyType::integer, .fallback = "5000", .unit = "",
     .doc = "How many call records and counts that wait for the database are in memory; more of them wait on disk alone, in the state directory.", .min = 10,
     .max = 10'000'000},
    {.name = "realm", .type = KeyType::text, .fallback = "Yate", .unit = "",
     .doc = "The realm of sip.conf: `jackfield user` makes hashed passwords for it."},
};

constexpr Key kDefaultKeys[] = {
    {.name = "priority", .type = KeyType::integer, .fallback = "50", .unit = "", .doc = "Priority of the handlers; lower runs first.", .min = 0, .max = 10000},
    {.name = "account", .type = KeyType::text, .fallback = "", .unit = "", .doc = "The database account that is asked, a section of sqlitedb.conf or pgsqldb.conf.",
     .literal = true},
};

/// What each section begins with.
constexpr auto kCommon = std::to_array<Key>({
    {.name = "priority", .type = KeyType::integer, .fallback = "", .unit = "", .doc = "Default: as in [default].", .min = 0, .max = 10000},
    {.name = "account", .type = KeyType::text, .fallback = "", .unit = "", .doc = "Default: as in [default].", .literal = true},
    sql("initquery", "Runs once when the server has started."),
});

template <std::size_t N>
constexpr std::array<Key, kCommon.size() + N> with_common(const std::array<Key, N>& own) {
  std::array<Key, kCommon.size() + N> all{};
  for (std::size_t i = 0; i < N; ++i) all[i] = own[i];
  for (std::size_t i = 0; i < kCommon.size(); ++i) all[N + i] = kCommon[i];
  return all;
}

constexpr Key deadline(std::string_view fallback) {
  return {.name = "deadline", .type = KeyType::milliseconds, .fallback = fallback, .unit = "ms", .doc = "How long the database may take to answer.", .min = 10, .max = 600'000};
}
constexpr Key on_fail(std::string_view fallback, std::string_view choices) {
  return {.name = "on_fail", .type = KeyType::choice, .fallback = fallback, .unit = "",
          .doc = "What happens when the database gives no answer: refuse, unless another handler knows better; pass to the other handlers as if this "
                 "one were not there; cached, the last good answer to the same question, else refused.",
          .choices = choices};
}
constexpr Key kCacheStale{.name = "cache_stale", .type = KeyType::seconds, .fallback = "0", .unit = "s",
                          .doc = "How old an answer may be that is used while the database is away; more than 0 makes cached the default of on_fail.",
                          .min = 0, .max = 2'592'000'000};

constexpr Key kDryRun{.name = "dry_run", .type = KeyType::boolean, .fallback = "no", .unit = "",
                      .doc = "Whether `jackfield route` asks this query, too. Say yes where it only reads: no function in it writes, either."};

constexpr auto kAuthKeys = with_common(std::to_array<Key>({
    sql("query", "Gives a row for a user who exists. `@` and a query: that one gives the text of this one, in one row with one column; so in all sections."),
    {.name = "result", .type = KeyType::text, .fallback = "password", .unit = "",
     .doc = "The column with the password, which must be there. Empty: there is none; columns ha1_md5, ha1_sha256 and ha1_realm say its hashes. "
            "All other columns become parameters of the message."},
    deadline(kDeadline), on_fail("refuse", "refuse,pass,cached"), kCacheStale, kDryRun,
}));
constexpr auto kRegisterKeys = with_common(std::to_array<Key>({
    sql("query", "Keeps one contact. A row written or given is success. Beside the message's parameters there are ${expires_at} and ${now} (seconds since 1970), ${nodename} and ${process}, which no other run has."),
    {.name = "max_contacts", .type = KeyType::integer, .fallback = "", .unit = "",
     .doc = "How many contacts of a user the query keeps, 0 for any number; a column max_contacts that it gives comes first. Nothing: one, as Yate's.", .min = 0, .max = 1000},
    {.name = "shared", .type = KeyType::boolean, .fallback = "no", .unit = "",
     .doc = "Whether several servers keep registrations in the same table. Then the query of [user.bindings] follows each registration."},
    deadline(kDeadline),
    {.name = "on_fail", .type = KeyType::choice, .fallback = "refuse", .unit = "",
     .doc = "What happens when the database gives no answer: refuse, unless another handler takes the contact; pass, as if this one were not there; cached, a contact "
            "that the database has already is confirmed for the time it has left there (cache_max of them are remembered), others are refused.",
     .choices = "refuse,pass,cached"},
}));
constexpr auto kUnregisterKeys = with_common(std::to_array<Key>({
    sql("query", "Removes the contact ${binding} of ${username}, all of them where there is no binding; without a username, those of ${connection_id}."), deadline(kDeadline),
    {.name = "on_fail", .type = KeyType::choice, .fallback = "refuse", .unit = "",
     .doc = "What a phone that ends its registration hears when the database gives no answer: refuse, 500, and it is registered still; pass, 200 all the same as in Yate, "
            "and the row stays until it expires.",
     .choices = "refuse,pass"}}));
constexpr auto kBindingsKeys = with_common(std::to_array<Key>({
    sql("query", "Gives the contacts of ${username} as they were registered: columns username, data, expires (seconds since 1970, 0 for never), and any other parameter of user.register."),
    sql("query_all", "The same of all users, for the start."), deadline(kDeadline), kDryRun}));
constexpr auto kTimerKeys = with_common(std::to_array<Key>({sql("query", "Removes what has expired."), deadline("30s")}));
constexpr auto kPrerouteKeys = with_common(std::to_array<Key>({
    sql("query", "Its columns become parameters of the call."),
    {.name = "result", .type = KeyType::text, .fallback = "", .unit = "", .doc = "The column that becomes the return value; `-` refuses the call."},
    deadline(kDeadline), on_fail("pass", "refuse,pass,cached"), kCacheStale, kDryRun,
}));
constexpr auto kRouteKeys = with_common(std::to_array<Key>({
    sql("query", "Where a call goes: a row for each target. All columns but the target become parameters of the call. ${over_limit} is the key of that name, ${over_limit_code} its number."),
    {.name = "result", .type = KeyType::text, .fallback = "location", .unit = "", .doc = "The column with the target."},
    {.name = "rows", .type = KeyType::choice, .fallback = "fallback", .unit = "",
     .doc = "What further rows are: fallback, tried one after another (see [general] fallback); fork, they ring together, a column q parts them into groups.",
     .choices = "fallback,fork"},
    {.name = "offlineauto", .type = KeyType::boolean, .fallback = "no", .unit = "", .doc = "Whether rows without a target refuse the call as offline."},
    {.name = "over_limit", .type = KeyType::choice, .fallback = "busy", .unit = "",
     .doc = "What a call over a user's limit is refused with, where the query says so: busy (486) or noresource (503).", .choices = "busy,noresource"},
    deadline(kDeadline), on_fail("refuse", "refuse,pass,cached"), kCacheStale, kDryRun,
}));

constexpr Key critical(std::string_view doc) { return on("critical", doc); }
constexpr std::string_view kCriticalDoc =
    "Whether registrations and calls are refused from a failed query on until one succeeds, or a reload. Records are not lost without it: they wait in a journal.";
constexpr auto record_keys(std::string_view critical_doc) {
  return with_common(std::to_array<Key>({
      sql("cdr_initialize", "When a leg begins. What the database did not take is written later, in order and once."),
      sql("cdr_update", "When something about it changes."), sql("cdr_status", "While it lasts, as often as cdrbuild's status_interval says."),
      sql("cdr_finalize", "When it has ended."), sql("query", "The same; cdr_finalize comes first."), sql("cdr_combined", "When a whole call has ended."),
      critical(critical_doc), deadline(kRecordDeadline)}));
}
constexpr auto kCdrKeys = record_keys(kCriticalDoc);
constexpr auto kLinesKeys = record_keys("As in [call.cdr].");
constexpr auto kAccountsKeys = with_common(std::to_array<Key>({
    sql("timerquery", "Runs each [general] expires; so does the initquery before, once. Every row becomes a user.login with its columns, of which `operation` says login or logout."),
    sql("statusquery", "Runs when an account of these was registered or is no longer: ${status} is online or offline, ${internalaccount} the account."),
    deadline(kRecordDeadline),
}));
constexpr auto kFallbackKeys = std::to_array<Key>({kCommon[0]});

constexpr std::string_view kYateGeneral[] = {"subscriptions", "resource.subscribe", "resource.notify", "user.notify", "subscription_notify"};
constexpr std::string_view kYateSections[] = {"resource.subscribe", "resource.notify", "subscriptions", "mwi", "dialog", "message-summary"};

constexpr Section kSections[] = {
    {.name = kGeneral, .doc = "Which messages are answered. The queries below are for the schema that `jackfield db init ACCOUNT` makes, on SQLite and on PostgreSQL alike.",
     .keys = kGeneralKeys, .ignored = kYateGeneral, .preset = shipped::kGeneral},
    {.name = kDefault, .doc = "What holds for sections that say nothing else.", .keys = kDefaultKeys, .preset = shipped::kDefault},
    {.name = kAuth, .doc = "Who is it, and what is the password?", .keys = kAuthKeys, .preset = shipped::kAuth},
    {.name = kRegister, .doc = "A phone registers.", .keys = kRegisterKeys, .preset = shipped::kRegister},
    {.name = kUnregister, .doc = "A registration ends.", .keys = kUnregisterKeys, .preset = shipped::kUnregister},
    {.name = kBindings, .doc = "What is registered?", .keys = kBindingsKeys, .preset = shipped::kBindings},
    {.name = kTimer, .doc = "What is done again and again.", .keys = kTimerKeys, .preset = shipped::kTimer},
    {.name = kPreroute, .doc = "Before a call is routed.", .keys = kPrerouteKeys, .preset = shipped::kPreroute},
    {.name = kRoute, .doc = "Where does a call go?", .keys = kRouteKeys, .preset = shipped::kRoute},
    {.name = kFallback, .doc = "Further targets, one after another.", .keys = kFallbackKeys},
    {.name = kCdr, .doc = "Call records. ${nodename}, ${runid} and ${cdrid} together name one.", .keys = kCdrKeys, .preset = shipped::kCdr},
    {.name = kLines, .doc = "Calls under way.", .keys = kLinesKeys, .preset = shipped::kLines},
    {.name = kAccounts, .doc = "Connections to other servers, as accfile.conf has them.", .keys = kAccountsKeys},
};

// ---

class Reader {
 public:
  Reader(const Settings& settings, Problems& problems) : settings_(settings), problems_(problems) {}

  RegisterSettings read() {
    RegisterSettings out;
    common(out.auth, kAuth);
    out.auth.result = settings_.text(kAuth, "result");
    policy(out.auth);

    common(out.registration, kRegister);
    out.registration.on_fail = on_fail_of(kRegister);
    if (settings_.has(kRegister, "max_contacts")) out.registration.max_contacts = settings_.integer(kRegister, "max_contacts");
    out.registration.shared = settings_.boolean(kRegister, "shared");
    common(out.unregister, kUnregister);
    out.unregister.on_fail = on_fail_of(kUnregister);
    common(out.bindings, kBindings);
    out.bindings.all = Query(settings_.text(kBindings, "query_all"));
    common(out.timer, kTimer);
    common(out.preroute, kPreroute);
    out.preroute.result = settings_.text(kPreroute, "result");
    policy(out.preroute);
    common(out.route, kRoute);
    out.route.result = settings_.text(kRoute, "result");
    policy(out.route);
    out.route.fork = settings_.text(kRoute, "rows") == "fork";
    out.route.offline_auto = settings_.boolean(kRoute, "offlineauto");
    out.route.over_limit = settings_.text(kRoute, "over_limit");
    for (auto* handler : {&out.auth, static_cast<HandlerSettings*>(&out.registration), &out.unregister, static_cast<HandlerSettings*>(&out.bindings), &out.timer,
                          &out.preroute, static_cast<HandlerSettings*>(&out.route)})
      needs(*handler, !handler->query.empty(), "query=");
    if (out.registration.shared && !out.bindings.enabled)
      problem(kRegister, "shared", Problem::Severity::error, "shared=yes needs user.bindings=yes in [general] and its query: they say what other servers keep");

    common(out.accounts, kAccounts);
    out.accounts.query = Query(settings_.text(kAccounts, "timerquery"));
    out.accounts_status = Query(settings_.text(kAccounts, "statusquery"));
    needs(out.accounts, !out.accounts.query.empty() || !out.accounts.init.empty(), "initquery= nor timerquery=");

    records(out.records, kCdr);
    records(out.lines, kLines);
    out.records_in_memory = static_cast<std::size_t>(settings_.integer(kGeneral, "records_in_memory"));
    fallback(out.fallback);

    out.sweep = settings_.duration(kGeneral, "expires");
    out.allow_empty_password = settings_.boolean(kGeneral, "allow_empty_password");
    out.cache_max = static_cast<std::size_t>(settings_.integer(kGeneral, "cache_max"));
    out.realm = settings_.text(kGeneral, "realm");
    out.default_account = settings_.text(kDefault, "account");
    name_what_is_not_served();
    return out;
  }

 private:
  void problem(std::string_view section, std::string_view key, Problem::Severity severity, std::string text) {
    problems_.push_back({severity, settings_.where(section, key), std::move(text)});
  }

  int priority(std::string_view section) {
    return static_cast<int>(settings_.has(section, "priority") ? settings_.integer(section, "priority") : settings_.integer(kDefault, "priority"));
  }

  void common(HandlerSettings& out, std::string_view section) {
    out.section = section;
    out.enabled = settings_.boolean(kGeneral, section);
    out.priority = priority(section);
    out.account = settings_.text(settings_.has(section, "account") ? section : kDefault, "account");
    if (section != kAccounts) out.query = Query(settings_.text(section, "query"));
    out.init = Query(settings_.text(section, "initquery"));
    out.deadline = settings_.duration(section, "deadline");
    if (out.enabled && out.account.empty())
      problem(section, "account", Problem::Severity::error, fmt::format("[{}] has no account: name one there or in [default]", section));
  }

  /// A handler that was switched on and has nothing to ask stays off.
  void needs(HandlerSettings& handler, bool there, std::string_view what) {
    if (!handler.enabled || there) return;
    handler.enabled = false;
    problem(handler.section, "query", Problem::Severity::warning, fmt::format("{0}=yes does nothing: [{0}] has no {1}", handler.section, what));
  }

  OnFail on_fail_of(std::string_view section) {
    const auto word = settings_.text(section, "on_fail");
    return word == "pass" ? OnFail::pass : word == "cached" ? OnFail::cached : OnFail::refuse;
  }

  void policy(HandlerSettings& out) {
    out.on_fail = on_fail_of(out.section);
    out.dry_run = settings_.boolean(out.section, "dry_run");
    out.cache_stale = settings_.duration(out.section, "cache_stale");
    const bool kept = out.cache_stale > Duration::zero();
    if (kept && !settings_.has(out.section, "on_fail")) out.on_fail = OnFail::cached;
    if (!kept && out.on_fail == OnFail::cached)
      problem(out.section, "on_fail", Problem::Severity::error, fmt::format("[{}] on_fail=cached needs cache_stale=, how old an answer may be", out.section));
  }

  void records(RecordSettings& out, std::string_view section) {
    common(out, section);
    out.initialize = Query(settings_.text(section, "cdr_initialize"));
    out.update = Query(settings_.text(section, "cdr_update"));
    out.status = Query(settings_.text(section, "cdr_status"));
    out.finalize = Query(settings_.text(section, settings_.has(section, "cdr_finalize") ? "cdr_finalize" : "query"));
    out.combined = Query(settings_.text(section, "cdr_combined"));
    out.critical = settings_.boolean(section, "critical");
    const bool any = !out.initialize.empty() || !out.update.empty() || !out.status.empty() || !out.finalize.empty() || !out.combined.empty();
    needs(out, any, "cdr_finalize= nor any other query");
    if (settings_.from_yate() && out.enabled && section == kCdr && !settings_.has(section, "critical"))
      problem(section, "critical", Problem::Severity::warning,
              "unlike in Yate, calls go on when records cannot be written: they wait in a journal; critical=yes in [call.cdr] is Yate's way");
  }

  void fallback(RegisterSettings::Fallback& out) {
    const auto part = [this](std::string_view name) { return settings_.boolean(kGeneral, settings_.has(kGeneral, name) ? name : kFallback); };
    out = {.disconnected = part(kDisconnected), .answered = part(kAnswered), .hungup = part(kHangup), .priority = priority(kFallback), .stop = {}};
    const auto stop = settings_.text(kGeneral, kStopError);
    if (stop.empty()) return;
    auto compiled = pattern::Pattern::compile(stop, {});
    if (compiled) out.stop = std::move(*compiled);
    else problem(kGeneral, kStopError, Problem::Severity::error, fmt::format("stoperror is no regular expression: {}", compiled.error()));
  }

  void name_what_is_not_served() {
    const auto* general = settings_.section(kGeneral);
    if (!general) return;
    for (const auto& entry : general->entries)
      if (std::ranges::find(kYateGeneral, entry.key) != std::end(kYateGeneral) && parse_boolean(entry.value).value_or(false))
        problems_.push_back({Problem::Severity::warning, entry.where, fmt::format("[general] {} is not served", entry.key)});
  }

  const Settings& settings_;
  Problems& problems_;
};

}  // namespace

const KeyTable kKeys{.name = "register",
                     .doc = "Users, registrations, routes and call records in a database, with queries of your own. ${name} in a query stands for a parameter of the "
                            "message; what comes from outside is always data there, never SQL.",
                     .sections = kSections,
                     .ignored_sections = kYateSections};

const Query* RecordSettings::query_for(std::string_view operation) const {
  const auto* found = operation == "initialize" ? &initialize
                      : operation == "update"   ? &update
                      : operation == "status"   ? &status
                      : operation == "finalize" ? &finalize
                      : operation == "combined" ? &combined
                                                : nullptr;
  return found && !found->empty() ? found : nullptr;
}

RegisterSettings read_settings(const Settings& settings, Problems& problems) { return Reader(settings, problems).read(); }

}  // namespace jackfield::register_module
