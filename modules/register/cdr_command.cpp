// `jackfield cdr` on the table of call records of share/sql.
#include "commands.h"

#include "command/verb.h"
#include "cdr/printer.h"
#include "rows.h"
#include "settings.h"

#include <fmt/format.h>

#include <array>
#include <ostream>

namespace jackfield::register_module {
namespace {

using command::kDone, command::kRefused, command::kWrongUsage;
constexpr std::size_t kPage = 1000;  // records in memory at once

/// As cdrfile has them, and whose call it was.
constexpr auto kColumns = std::to_array<std::string_view>({"time", "billid", "chan", "address", "caller", "called", "billtime", "ringtime", "duration",
                                                           "direction", "status", "reason", "username"});

/// Ended legs of the asked time and user. What names a record comes first.
constexpr std::size_t kKeyColumns = 3;
constexpr std::string_view kWanted =
    "SELECT nodename, runid, cdrid, {columns} FROM calls WHERE ended = 1 AND time >= '${{since}}' AND time < '${{until}}'"
    " AND ('${{user}}' = '' OR caller = '${{user}}' OR called = '${{user}}' OR username = '${{user}}')";
/// The page behind that record; what other records write meanwhile moves nothing. Its time is taken from the table: as text it may be rounded.
constexpr std::string_view kBehind =
    " AND time >= COALESCE((SELECT max(time) FROM calls WHERE nodename = '${nodename}' AND runid = '${runid}' AND cdrid = '${cdrid}'), 0)"
    " AND (time > COALESCE((SELECT max(time) FROM calls WHERE nodename = '${nodename}' AND runid = '${runid}' AND cdrid = '${cdrid}'), -1) OR nodename > '${nodename}' OR (nodename = '${nodename}' AND (runid > '${runid}' OR (runid = '${runid}' AND cdrid > '${cdrid}'))))"
    " ORDER BY time, nodename, runid, cdrid LIMIT ";
constexpr std::string_view kNewest = " ORDER BY time DESC, nodename DESC, runid DESC, cdrid DESC LIMIT ";

std::string seconds(std::int64_t milliseconds) {
  const auto magnitude = milliseconds < 0 ? -milliseconds : milliseconds;
  return fmt::format("{}{}.{:03}", milliseconds < 0 ? "-" : "", magnitude / 1000, magnitude % 1000);
}

class CdrCommand : command::Verb {
 public:
  explicit CdrCommand(CommandContext& context) : Verb(context, "cdr") {
    Problems ignored;
    const auto settings = read_settings(context.settings, ignored);
    if (settings.records.enabled) account_ = settings.records.account;
  }

  int run() {
    if (account_.empty() || account_.find("${") != std::string::npos) return kNotServed;
    const auto request = cdr::parse_request(context_.arguments);
    if (!request) return say(request.error(), kWrongUsage);  // the program adds how it is used
    auto opened = context_.open_database(account_);
    if (!opened) return say(opened.error(), kRefused);
    database_ = std::move(*opened);

    const auto wanted = fmt::format(kWanted, fmt::arg("columns", fmt::join(kColumns, ", ")));
    cdr::Printer printer(request->format, kColumns);
    context_.out << printer.head();
    const bool printed = request->format == cdr::Format::list ? list(*request, wanted, printer) : pages(*request, wanted, printer);
    if (!printed) return kRefused;
    context_.out << printer.foot() << std::flush;
    return context_.out ? kDone : say("the records could not be written", kRefused);
  }

 private:
  messages::QueryValues values(const cdr::Request& request) const {
    constexpr std::int64_t kEver = 253402300800000;  // the year 10000
    return {{{"since", seconds(request.since.value_or(0))}, {"until", seconds(request.until.value_or(kEver))}, {"user", request.user},
             {"nodename", ""}, {"runid", ""}, {"cdrid", ""}}};
  }

  bool list(const cdr::Request& request, const std::string& wanted, cdr::Printer& printer) {
    const auto given = values(request);
    const auto answer = database_->run(fmt::format("{}{}{}", wanted, kNewest, request.last), &given);
    if (!answer) return refuse(answer.error());
    for (auto row = answer->rows.size(); row-- > 0;) print(answer->rows, row, printer);
    return true;
  }

  bool pages(const cdr::Request& request, const std::string& wanted, cdr::Printer& printer) {
    auto given = values(request);
    const auto query = fmt::format("{}{}{}", wanted, kBehind, kPage);
    while (context_.out) {
      const auto answer = database_->run(query, &given);
      if (!answer) return refuse(answer.error());
      const auto& rows = answer->rows;
      for (std::size_t row = 0; row < rows.size(); ++row) print(rows, row, printer);
      if (rows.size() < kPage) break;
      const auto last = rows.size() - 1;
      for (auto& [name, value] : given.values) {
        if (name == "since") value = seconds(cdr::parse_seconds(cell(rows, last, "time").value_or("")).value_or(1000) - 1000);  // no page looks at all before
        else if (name == "nodename" || name == "runid" || name == "cdrid") value = cell(rows, last, name).value_or("");
      }
    }
    return true;
  }

  void print(const messages::DatabaseRows& rows, std::size_t row, cdr::Printer& printer) {
    std::array<std::string, kColumns.size()> cells;
    // By their place in the query: looking for each by its name took most of the time of a long export.
    const auto given = rows.row(row).subspan(kKeyColumns);
    for (std::size_t i = 0; i < kColumns.size(); ++i) cells[i] = given[i].value_or("");
    context_.out << printer.record(cells);
  }

  bool refuse(std::string_view why) {
    say(fmt::format("{}; records are read from the table `calls` that `jackfield db init {}` makes", why, account_), kRefused);
    return false;
  }

  std::string account_;
  std::unique_ptr<DirectDatabase> database_;
};

}  // namespace

int cdr_command(CommandContext& context) { return CdrCommand(context).run(); }

}  // namespace jackfield::register_module
