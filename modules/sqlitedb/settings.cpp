#include "settings.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <utility>

namespace jackfield::sqlitedb {
namespace {

constexpr std::size_t kMaxInitialize = 64 * 1024;

constexpr Key kGeneralKeys[] = {
    {.name = "priority", .type = KeyType::integer, .fallback = "100", .unit = "", .doc = "Priority of the answer to `database`; lower runs first.",
     .reloadable = false, .min = 0, .max = 10000},
};

constexpr Key kAccountKeys[] = {
    {.name = "database", .type = KeyType::text, .fallback = ":memory:", .unit = "",
     .doc = "The file, below the state directory when the path is relative; or an SQLite URI. `:memory:` is gone when the account is. Empty: a "
            "temporary file that is removed when it is closed."},
    {.name = "initialize", .type = KeyType::text, .fallback = "", .unit = "",
     .doc = "SQL that is run each time the database has been opened, before anybody may ask: tables that must be there, a PRAGMA. `@file` "
            "reads it from a file, below the configuration directory when the path is relative."},
    {.name = "synchronous", .type = KeyType::choice, .fallback = "full", .unit = "",
     .doc = "What an acknowledged write survives: with full the loss of power; with normal the end of the process, and after a loss of power "
            "the database is whole but may lack the last writes; off promises nothing. extra is SQLite's.",
     .choices = "full,normal,off,extra"},
    {.name = "timeout", .type = KeyType::milliseconds, .fallback = "2000", .unit = "ms",
     .doc = "How long a query may take, waiting included, unless whoever asks says otherwise.", .min = 100, .max = 3600000},
    {.name = "retry", .type = KeyType::integer, .fallback = "5", .unit = "", .doc = "How often a query that met a lock is run again.", .min = 0,
     .max = 1000},
    {.name = "poolsize", .type = KeyType::integer, .fallback = "2", .unit = "",
     .doc = "How many connections read at the same time. One more writes; in memory there is one for everything.", .min = 1, .max = 64},
    {.name = "autostart", .type = KeyType::boolean, .fallback = "yes", .unit = "",
     .doc = "Whether the database is opened at start; with no, when somebody first asks."},
    {.name = "queue", .type = KeyType::integer, .fallback = "10000", .unit = "",
     .doc = "How many queries may be without an answer at a time; more are refused.", .min = 1, .max = 1000000},
    {.name = "reconnect", .type = KeyType::seconds, .fallback = "30", .unit = "s",
     .doc = "The longest time between two attempts to open a database that cannot be opened; the first ones come sooner.", .min = 10, .max = 86400000},
    {.name = "mode", .type = KeyType::integer, .fallback = "0600", .unit = "", .doc = "Permissions of a file that is made.", .min = 0, .max = 0777},
    {.name = "applied_keep", .type = KeyType::seconds, .fallback = "604800", .unit = "s",
     .doc = "How long the keys of call records are kept in jackfield_applied, so that one that is sent again is not written twice.", .min = 1000,
     .max = 31622400000},
};

constexpr Section kSections[] = {
    {.name = kGeneral, .doc = "", .keys = kGeneralKeys},
    {.name = "jackfield",
     .doc = "The account that the shipped register.conf asks. Every section is an account of its name; their keys are below.",
     .keys = kAccountKeys,
     .preset = "database=jackfield.db\n"},
    {.name = "*", .doc = "Any other account, with the same keys.", .keys = kAccountKeys},
};

tl::expected<std::string, std::string> read_script(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return tl::unexpected(fmt::format("initialize: {} cannot be read", path.string()));
  std::string text(kMaxInitialize + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMaxInitialize) return tl::unexpected(fmt::format("initialize: {} has more than {} bytes", path.string(), kMaxInitialize));
  if (text.find('\0') != std::string::npos) return tl::unexpected(fmt::format("initialize: {} holds a NUL: it is no SQL", path.string()));
  return text;
}

}  // namespace

const KeyTable kKeys{.name = "sqlitedb",
                     .doc = "SQLite databases for whoever asks with the message `database`: users, registrations and call records in SQL without a server.",
                     .sections = kSections};

int read_priority(const Settings& settings) { return static_cast<int>(settings.integer(kGeneral, "priority")); }

std::vector<AccountSettings> read_accounts(const Settings& settings) {
  std::vector<AccountSettings> accounts;
  for (const auto& section : settings.sections()) {
    const auto& name = section.name;
    if (name == kGeneral) continue;
    AccountSettings account{.database = settings.text(name, "database"),
                            .synchronous = settings.text(name, "synchronous"),
                            .initialize = settings.text(name, "initialize"),
                            .mode = static_cast<unsigned>(settings.integer(name, "mode")),
                            .applied_keep = std::chrono::duration_cast<std::chrono::seconds>(settings.duration(name, "applied_keep")),
                            .initialize_line = settings.where(name, "initialize")};
    account.options = {.name = name,
                       .timeout = settings.duration(name, "timeout"),
                       .retry = static_cast<int>(settings.integer(name, "retry")),
                       .connections = static_cast<unsigned>(settings.integer(name, "poolsize")),
                       .max_waiting = static_cast<std::size_t>(settings.integer(name, "queue")),
                       .reconnect_most = settings.duration(name, "reconnect"),
                       .autostart = settings.boolean(name, "autostart")};
    account.options.reconnect_first = std::min(account.options.reconnect_first, account.options.reconnect_most);
    accounts.push_back(std::move(account));
  }
  return accounts;
}

tl::expected<std::shared_ptr<const ConnectionSettings>, Problem> connection_settings(const AccountSettings& account, const std::filesystem::path& state_dir,
                                                                                     const std::filesystem::path& config_dir) {
  auto made = std::make_shared<ConnectionSettings>();
  made->file = database_file(account.database, state_dir, account.mode);
  made->synchronous = account.synchronous;
  made->applied_keep = account.applied_keep;
  made->initialize = account.initialize;
  if (account.initialize.starts_with('@')) {
    auto script = read_script(config_dir / account.initialize.substr(1));
    if (!script) return tl::unexpected(Problem{.where = account.initialize_line, .text = std::move(script.error())});
    made->initialize = std::move(*script);
  }
  return made;
}

database::AccountPlan plan_of(const AccountSettings& account, std::shared_ptr<const ConnectionSettings> connection) {
  database::AccountPlan plan{.options = account.options};
  const auto& options = account.options;
  const auto& file = connection->file;
  plan.options.separate_writer = !file.one_connection;
  if (file.one_connection) plan.options.connections = 1;
  plan.fingerprint = fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", file.name, file.mode, connection->synchronous, connection->applied_keep.count(),
                                 options.timeout.count(), options.retry, options.connections, options.max_waiting, options.reconnect_most.count(),
                                 options.autostart, connection->initialize);
  plan.factory = [connection = std::move(connection)](database::Role role) { return std::make_unique<SqliteConnection>(connection, role); };
  return plan;
}

}  // namespace jackfield::sqlitedb
