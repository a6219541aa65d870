#include "settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace jackfield::pgsqldb {
namespace {

constexpr std::string_view kGeneral = "general";

constexpr Key kGeneralKeys[] = {
    {.name = "priority", .type = KeyType::integer, .fallback = "100", .unit = "", .doc = "Priority of the answer to `database`; lower runs first.",
     .reloadable = false, .min = 0, .max = 10000},
};

constexpr Key kAccountKeys[] = {
    {.name = "connection", .type = KeyType::secret, .fallback = "", .unit = "",
     .doc = "A connection string of PostgreSQL in place of the five keys below: host=db1,db2 port=5432 dbname=… user=… password=… sslmode=require, "
            "or postgresql://user:password@db1,db2/dbname. Of several hosts the one that takes writes is used, also after it has failed over."},
    {.name = "host", .type = KeyType::text, .fallback = "localhost", .unit = "",
     .doc = "Where the server is: a name, an address, or the folder of its Unix socket; several with commas between. A pooler in front of it must leave "
            "us a session of our own (PgBouncer: pool_mode=session)."},
    {.name = "port", .type = KeyType::text, .fallback = "5432", .unit = "", .doc = "Its port; several with commas between, one for each host."},
    {.name = "database", .type = KeyType::text, .fallback = "yate", .unit = "", .doc = "The database."},
    {.name = "user", .type = KeyType::text, .fallback = "postgres", .unit = "", .doc = "The role to connect as."},
    {.name = "password", .type = KeyType::secret, .fallback = "", .unit = "", .doc = "Its password."},
    {.name = "encoding", .type = KeyType::text, .fallback = "UTF8", .unit = "", .doc = "The encoding of queries and answers (client_encoding)."},
    {.name = "timeout", .type = KeyType::milliseconds, .fallback = "10000", .unit = "ms",
     .doc = "How long a query may take, from when it was asked; whoever asks may name less. Also how long all hosts together have to let us in.",
     .min = 500, .max = 3600000},
    {.name = "retry", .type = KeyType::integer, .fallback = "5", .unit = "",
     .doc = "How often a transaction that met a deadlock or a serialisation failure is run again.", .min = 0, .max = 100},
    {.name = "poolsize", .type = KeyType::integer, .fallback = "2", .unit = "",
     .doc = "How many connections there are: one that writes, the others read. Writes that wait together are committed together, so more of them "
            "would only make the groups smaller. With 1 the same connection does both, as Yate's default.",
     .min = 1, .max = 100},
    {.name = "autostart", .type = KeyType::boolean, .fallback = "yes", .unit = "",
     .doc = "Whether to connect at the start; with no, at the first query. A server that is not there is asked again for ever."},
    {.name = "max_waiting", .type = KeyType::integer, .fallback = "10000", .unit = "", .doc = "How many queries may wait; more are refused at once.", .min = 1,
     .max = 1000000},
    {.name = "reconnect", .type = KeyType::milliseconds, .fallback = "250", .unit = "ms",
     .doc = "The pause before a server that could not be reached is asked again; it doubles each time.", .min = 10, .max = 3600000},
    {.name = "reconnect_max", .type = KeyType::milliseconds, .fallback = "30s", .unit = "ms", .doc = "The longest such pause.", .min = 10, .max = 3600000},
};

constexpr Section kSections[] = {
    {.name = kGeneral, .doc = "", .keys = kGeneralKeys},
    {.name = "*",
     .doc = "Every other section is an account, by the name that queries ask for it (account= in register.conf).",
     .keys = kAccountKeys,
     .sample = "[telephones]\nhost=localhost\ndatabase=jackfield\nuser=jackfield\npassword=\n"},
};

/// In these a quote or a backslash may be the second byte of a character, which no escaping of UTF-8 text survives.
constexpr auto kUnsafeEncodings = std::to_array<std::string_view>({"BIG5", "GB18030", "GBK", "JOHAB", "SHIFTJIS2004", "SJIS", "UHC", "MSKANJI", "SHIFTJIS",
                                                                   "WIN932", "WINDOWS932", "WIN936", "WINDOWS936", "WIN949", "WINDOWS949", "WIN950",
                                                                   "WINDOWS950"});

/// As PostgreSQL compares them: letters and digits only.
std::string plain_name(std::string_view encoding) {
  std::string plain;
  for (const unsigned char c : encoding) {
    if (std::isalnum(c)) plain.push_back(static_cast<char>(std::toupper(c)));
  }
  return plain;
}

}  // namespace

const KeyTable kKeys{.name = "pgsqldb",
                     .doc = "Accounts on PostgreSQL servers, for the message `database`: users, registrations and call records in SQL.",
                     .sections = kSections};

int read_priority(const Settings& settings) { return static_cast<int>(settings.integer(kGeneral, "priority")); }

std::vector<AccountSettings> read_accounts(const Settings& settings, Problems& problems) {
  std::vector<AccountSettings> accounts;
  for (const auto& section : settings.sections()) {
    const auto& name = section.name;
    if (name == kGeneral) continue;
    const auto text = [&](std::string_view key) { return settings.text(name, key); };
    const auto timeout = settings.duration(name, "timeout");
    const ServerKeys keys{.connection = text("connection"), .host = text("host"), .port = text("port"), .database = text("database"),
                          .user = text("user"), .password = text("password"), .encoding = text("encoding"), .timeout = timeout};
    if (std::ranges::find(kUnsafeEncodings, plain_name(keys.encoding)) != kUnsafeEncodings.end()) {
      problems.push_back({Problem::Severity::error, settings.where(name, "encoding"),
                          fmt::format("encoding={} is not safe for escaped text; use UTF8, the server converts to its own", keys.encoding)});
      continue;
    }
    auto found = servers(keys);
    if (!found) {
      problems.push_back({Problem::Severity::error, settings.where(name, keys.connection.empty() ? "host" : "connection"), std::move(found.error())});
      continue;
    }
    if (!keys.connection.empty()) {
      for (const auto* key : {"host", "port", "database", "user", "password"}) {
        if (settings.has(name, key)) {
          problems.push_back({Problem::Severity::warning, settings.where(name, key), fmt::format("{}= means nothing beside connection=", key)});
        }
      }
    }
    // Yate has one connection unless it is told otherwise.
    const bool yates = settings.from_yate() && !settings.has(name, "poolsize");
    const auto pool = yates ? 1U : static_cast<unsigned>(settings.integer(name, "poolsize"));
    AccountSettings account{.options = {.name = name,
                                        .timeout = timeout,
                                        .retry = static_cast<int>(settings.integer(name, "retry")),
                                        .connections = std::max(1U, pool - 1),
                                        .separate_writer = pool > 1,
                                        .max_waiting = static_cast<std::size_t>(settings.integer(name, "max_waiting")),
                                        .reconnect_first = settings.duration(name, "reconnect"),
                                        .reconnect_most = settings.duration(name, "reconnect_max"),
                                        .autostart = settings.boolean(name, "autostart")},
                            .servers = std::move(*found),
                            .fingerprint = {}};
    for (const auto& key : kAccountKeys) account.fingerprint += fmt::format("{}={}\n", key.name, text(key.name));
    account.fingerprint += std::to_string(pool);
    accounts.push_back(std::move(account));
  }
  return accounts;
}

}  // namespace jackfield::pgsqldb
