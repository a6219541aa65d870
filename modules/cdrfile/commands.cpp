#include "commands.h"

#include "command/verb.h"
#include "cdr/printer.h"
#include "record_reader.h"
#include "settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <map>
#include <ostream>
#include <system_error>

namespace jackfield::cdrfile {
namespace {

using command::kDone, command::kRefused, command::kWrongUsage;

class CdrCommand : command::Verb {
 public:
  explicit CdrCommand(CommandContext& context) : Verb(context, "cdr") {
    Problems ignored;
    settings_ = read_settings(context.settings, ignored);
  }

  int run() {
    if (settings_.path.empty()) return kNotServed;
    const auto request = cdr::parse_request(context_.arguments);
    if (!request) return say(request.error(), kWrongUsage);  // the program adds how it is used
    if (settings_.own_format)
      return say("the format= of cdrfile.conf is one of your own, and what it leaves out or joins cannot be read back; only the default format can", kRefused);
    const auto path = context_.state_dir / settings_.path;
    std::ifstream file(path, std::ios::binary);
    if (!file) return say(fmt::format("{} cannot be read: {}", path.string(), std::generic_category().message(errno)), kRefused);

    columns_ = default_columns(settings_.combined);
    RecordReader reader(file, settings_.tabs ? '\t' : ',', columns_.size());
    cdr::Printer printer(request->format, columns_);
    context_.out << printer.head();
    if (request->format == cdr::Format::list) list(*request, reader, printer);
    else each(*request, reader, [&](std::int64_t, const std::vector<std::string>& cells) { context_.out << printer.record(cells); });
    context_.out << printer.foot() << std::flush;
    if (!context_.out) return say("the records could not be written", kRefused);
    if (const auto strange = reader.strange() + timeless_; strange > 0)
      say(fmt::format("{} of {} not in the format that cdrfile.conf asks for and left out", strange == 1 ? "1 line" : fmt::format("{} lines", strange),
                      path.string() + (strange == 1 ? " is" : " are")), kDone);
    return kDone;
  }

 private:
  template <class Take>
  void each(const cdr::Request& request, RecordReader& reader, Take&& take) {
    const auto column = [&](std::string_view name) { return static_cast<std::size_t>(std::ranges::find(columns_, name) - columns_.begin()); };
    const auto time = column("time"), caller = column("caller"), called = column("called");
    std::vector<std::string> cells;
    while (context_.out && reader.next(cells)) {
      const auto at = cdr::parse_seconds(cells[time]);
      if (!at) ++timeless_;
      else if (request.wants(*at) && (request.user.empty() || cells[caller] == request.user || cells[called] == request.user)) take(*at, cells);
    }
  }

  /// Lines stand in the order in which calls ended; a list is in that of their beginning.
  void list(const cdr::Request& request, RecordReader& reader, cdr::Printer& printer) {
    std::multimap<std::int64_t, std::vector<std::string>> newest;
    each(request, reader, [&](std::int64_t time, const std::vector<std::string>& cells) {
      newest.emplace(time, cells);
      if (newest.size() > request.last) newest.erase(newest.begin());
    });
    for (const auto& [time, cells] : newest) context_.out << printer.record(cells);
  }

  FileSettings settings_;
  std::span<const std::string_view> columns_;
  std::size_t timeless_ = 0;
};

}  // namespace

const std::array<ModuleCommand, 1> kCommands{{
    {.verb = "cdr", .usage = cdr::kUsage, .doc = "Shows and exports the call records of the file, when it is in the default format.", .run = cdr_command},
}};

int cdr_command(CommandContext& context) { return CdrCommand(context).run(); }

}  // namespace jackfield::cdrfile
