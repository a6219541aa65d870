#include "commands.h"

#include "command/verb.h"
#include "cdr/request.h"
#include "query_check.h"
#include "schema.h"
#include "settings.h"

#include <fmt/format.h>

#include <iostream>

namespace jackfield::register_module {
namespace {

using command::kDone, command::kRefused;

class DbCommand : command::Verb {
 public:
  explicit DbCommand(CommandContext& context) : Verb(context, "db") {}

  int run() {
    const auto arguments = context_.arguments;
    if (arguments.empty()) return usage("what is to be done?");
    if (arguments[0] == "check") return arguments.size() == 1 ? check() : usage(fmt::format("`{}` is not understood", arguments[1]));
    const bool init = arguments[0] == "init";
    if (!init && arguments[0] != "upgrade") return usage(fmt::format("`{}` is none of the commands", arguments[0]));
    if (arguments.size() > 2) return usage(fmt::format("`{}` is not understood", arguments[2]));
    account_ = arguments.size() == 2 ? arguments[1] : context_.settings.text("default", "account");
    if (account_.empty() || account_.find("${") != std::string::npos) return usage("name an ACCOUNT: [default] of register.conf names none");
    auto database = context_.open_database(account_);
    if (!database) return refuse(database.error());
    return bring_up(**database, init);
  }

 private:
  int check() {
    Problems problems;
    const auto settings = read_settings(context_.settings, problems);
    return check_queries(context_, settings) ? kDone : kRefused;
  }

  int bring_up(DirectDatabase& database, bool init) {
    const auto migrations = migrations_for(database.type(), context_.share_dir);
    if (!migrations) return refuse(migrations.error());
    const auto version = schema_version(database);
    if (!version) return refuse(version.error());
    if (init && *version > 0)
      return refuse(fmt::format("account {} has our tables already, version {}; `jackfield db upgrade {}` brings them up to date", account_, *version, account_));
    if (!init && *version == 0) return refuse(fmt::format("account {} has none of our tables; `jackfield db init {}` makes them", account_, account_));
    const int newest = migrations->back().version;
    if (*version > newest)
      return refuse(fmt::format("account {} has version {} of our tables, made by a newer Jackfield than this one, which knows {}", account_, *version, newest));
    for (const auto& migration : *migrations) {
      if (migration.version <= *version) continue;
      if (const auto done = apply(database, migration); !done) return refuse(done.error());
      context_.out << fmt::format("{}: {}\n", account_, migration.name);
    }
    context_.out << fmt::format("Account {} has version {} of our tables ({}).\n", account_, newest, database.type());
    return kDone;
  }


  std::string account_;
};

int run_user(CommandContext& context) { return user_command(context, std::cin); }

}  // namespace

const std::array<ModuleCommand, 3> kCommands{{
    {.verb = "db", .usage = "init [ACCOUNT] | upgrade [ACCOUNT] | check",
     .doc = "Makes the tables that the queries of the shipped register.conf are for, or brings them up to date; ACCOUNT is one of sqlitedb.conf or pgsqldb.conf. check has "
            "the databases read every query of register.conf that is in force, without running it, and says how values go there.",
     .run = db_command},
    {.verb = "user", .usage = "add NAME [--password-stdin] [--number NUMBER] [--calls LIMIT] | passwd NAME [--password-stdin] | remove NAME | list",
     .doc = "Adds, changes and removes users in the database that user.auth asks; a generated password is printed once, the database keeps hashes of it.",
     .run = run_user, .first = true},
    {.verb = "cdr", .usage = cdr::kUsage,
     .doc = "Shows and exports the call records in the table `calls` of the database that call.cdr writes to.", .run = cdr_command, .first = true},
}};

int db_command(CommandContext& context) { return DbCommand(context).run(); }

}  // namespace jackfield::register_module
