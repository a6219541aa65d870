#include "query_check.h"

#include "sql/query_template.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <ostream>
#include <vector>

namespace jackfield::register_module {
namespace {

struct Listed {
  const HandlerSettings* handler;
  std::string_view key;
  const Query* query;
};

std::vector<Listed> queries_of(const RegisterSettings& settings) {
  std::vector<Listed> out;
  const auto add = [&](const HandlerSettings& handler, std::string_view key, const Query& query) {
    if (handler.enabled && !query.empty()) out.push_back({&handler, key, &query});
  };
  const auto common = [&](const HandlerSettings& handler) {
    add(handler, "query", handler.query);
    add(handler, "initquery", handler.init);
  };
  for (const auto* handler : {&settings.auth, &settings.unregister, &settings.timer, &settings.preroute}) common(*handler);
  common(settings.registration);
  common(settings.bindings);
  add(settings.bindings, "query_all", settings.bindings.all);
  common(settings.route);
  add(settings.accounts, "initquery", settings.accounts.init);
  add(settings.accounts, "timerquery", settings.accounts.query);
  add(settings.accounts, "statusquery", settings.accounts_status);
  for (const auto* records : {&settings.records, &settings.lines}) {
    add(*records, "cdr_initialize", records->initialize);
    add(*records, "cdr_update", records->update);
    add(*records, "cdr_status", records->status);
    add(*records, "cdr_finalize", records->finalize);
    add(*records, "cdr_combined", records->combined);
    add(*records, "initquery", records->init);
  }
  return out;
}

/// Has the database read `text` without running it.
tl::expected<void, std::string> prepare(DirectDatabase& database, sql::Dialect dialect, std::string_view text) {
  const bool postgres = dialect == sql::Dialect::postgresql;
  auto read = database.run(fmt::format("{}{}", postgres ? "PREPARE jackfield_check AS " : "EXPLAIN ", text), nullptr);
  if (!read) return tl::unexpected(std::move(read.error()));
  if (postgres) (void)database.run("DEALLOCATE jackfield_check", nullptr);
  return {};
}

/// How its values go there; the error is what the database objects to.
tl::expected<std::string, std::string> way_of(DirectDatabase& database, const Query& query) {
  if (query.indirect()) return "the database has its text, which is read when it is first needed";
  const auto dialect = database.type() == "pgsqldb" ? sql::Dialect::postgresql : sql::Dialect::sqlite;
  const auto parsed = sql::QueryTemplate::parse(query.text(), dialect);
  if (!parsed) return tl::unexpected(parsed.error().text);
  // Text that is a number, too: outside of quotes a query takes no other.
  const std::vector<sql::Value> ones(parsed->names().size(), "1");
  const auto literals = parsed->render_escaped(ones);
  if (!literals) return tl::unexpected(literals.error().text);
  if (parsed->statements() > 1) return fmt::format("{} statements, not checked; values are escaped within the text", parsed->statements());
  std::string storage;
  const auto bound = parsed->render_bound(ones, storage);
  if (!bound) return tl::unexpected(bound.error().text);
  const auto read = prepare(database, dialect, *bound);
  if (read && parsed->names().empty()) return "no values";
  if (read) return fmt::format("{} values bound{}", parsed->bound_count(), parsed->constant_text() ? "" : ", others escaped within longer texts");
  if (parsed->bound_count() == 0 || !prepare(database, dialect, *literals)) return tl::unexpected(read.error());
  return fmt::format("values are escaped within the text, for with parameters: {}", read.error());
}

}  // namespace

bool check_queries(CommandContext& context, const RegisterSettings& settings) {
  std::map<std::string, std::unique_ptr<DirectDatabase>> databases;
  bool good = true;
  for (const auto& [handler, key, query] : queries_of(settings)) {
    const auto say = [&, section = handler->section, name = key](std::string_view what) { context.out << fmt::format("[{}] {}: {}\n", section, name, what); };
    if (handler->account.find("${") != std::string::npos) {
      say("not checked: which account is asked, the message says");
      continue;
    }
    auto& database = databases[handler->account];
    if (!database) {
      auto opened = context.open_database(handler->account);
      if (!opened) {
        context.err << "jackfield db: " << opened.error() << '\n';
        return false;
      }
      database = std::move(*opened);
    }
    const auto way = way_of(*database, *query);
    good = good && way.has_value();
    say(way ? *way : fmt::format("refused: {}", way.error()));
  }
  return good;
}

}  // namespace jackfield::register_module
