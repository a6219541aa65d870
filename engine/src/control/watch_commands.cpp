// Commands that show or change what the server tells of itself: levels, the log, handlers, times.
#include "control/commands.h"

#include "lifecycle/server.h"
#include "log/levels.h"

#include <jackfield/console.h>
#include <jackfield/messages/engine.h>

#include <fmt/format.h>

#include <algorithm>

namespace jackfield {

using namespace messages;

namespace {

ControlAnswer everybodys_level(const CommandCall& call) {
  ControlAnswer answer;
  for (const auto* logger : call.server.core().loggers()) answer.text += fmt::format("{} level {}\n", logger->name(), log_level_name(logger->level()));
  return answer;
}

std::string lines_of(const std::vector<LogFeed::Line>& lines, std::string_view module) {
  std::string out;
  for (const auto& line : lines)
    if (module.empty() || line.module == module) out += line.text + "\n";
  return out;
}

}  // namespace

Task<ControlAnswer> run_debug(CommandCall call) {
  if (call.words.size() < 2) co_return everybodys_level(call);
  auto& core = call.server.core();
  const auto loggers = core.loggers();
  const auto named = std::ranges::any_of(loggers, [&](const Logger* logger) { return logger->name() == call.words[1]; });
  if (const auto level = parse_log_level(call.rest(1)); level && !named) {
    core.set_log_level(*level);
    co_return either(call, true, fmt::format("%%=debug:level={}", log_level_name(*level)), fmt::format("all level {}", log_level_name(*level)));
  }
  Message message = call.make(kEngineDebug);
  message.set(param::kModule, call.words[1]);
  message.set(param::kLine, call.rest(2));
  auto verdict = core.bus().dispatch(message);
  const bool handled = co_await settle(std::move(verdict));
  if (!handled) co_return ControlAnswer{false, fmt::format("there is no module `{}`, or `{}` is no level\n", call.words[1], call.rest(2))};
  if (!call.machine) co_return ControlAnswer{true, std::string(message.retvalue())};
  co_return ControlAnswer{true, fmt::format("%%=debug:level={}:module={}\n", log_level_name(core.log(call.words[1]).level()), call.words[1])};
}

Task<ControlAnswer> run_events(CommandCall call) {
  auto& feed = call.server.core().log_feed();
  if (call.word(1) != "clear") {
    auto text = lines_of(feed.events(), call.word(1));
    co_return ControlAnswer{true, text.empty() ? "no warning and no error\n" : std::move(text)};
  }
  call.asked.set(param::kLine, call.rest(0));
  if (!may_change(call.asked)) co_return ControlAnswer{false, std::string(call.asked.retvalue())};
  co_return ControlAnswer{true, fmt::format("{} events are forgotten\n", feed.clear_events(call.word(2)))};
}

Task<ControlAnswer> run_logview(CommandCall call) { co_return ControlAnswer{true, lines_of(call.server.core().log_feed().lines(), {})}; }

std::string handler_list(Server& server, const std::vector<std::string>& filters) {
  std::string name, track;
  for (const auto& filter : filters) {
    if (filter.starts_with("name=")) name = filter.substr(5);
    else if (filter.starts_with("trackname=")) track = filter.substr(10);
    else if (filter != "handlers") name = filter;
  }
  std::string out;
  for (const auto& handler : server.core().bus().handlers(name)) {
    if (!track.empty() && handler.track != track) continue;
    out += fmt::format("{:>5} {:<24} {}", handler.priority, handler.message, handler.track);
    if (!handler.filter_name.empty()) out += fmt::format("  {}={}", handler.filter_name, handler.filter_value);
    out += "\n";
  }
  return out;
}

Task<ControlAnswer> run_dispatcher(CommandCall call) {
  auto list = handler_list(call.server, {call.words.begin() + 1, call.words.end()});
  co_return ControlAnswer{!list.empty(), list.empty() ? "no such handler\n" : std::move(list)};
}

Task<ControlAnswer> run_trace_msg_time(CommandCall call) {
  auto& server = call.server;
  const auto what = call.word(1);
  if (call.words.size() > 2) co_return usage_of("trace_msg_time");
  if (what.empty()) co_return ControlAnswer{true, fmt::format("tracing is {}\n", server.message_times() ? "on" : "off")};
  server.message_times().reset();
  if (what == "off") co_return ControlAnswer{true, "tracing is off\n"};
  auto& core = server.core();
  auto& log = core.log("engine");
  server.message_times() = core.bus().watch(what == "all" ? std::string() : what, [&core, &log](const Message& message, bool handled) {
    if (message.created() == WallTime{}) return;
    const auto took = std::chrono::duration_cast<Duration>(core.clock().wall() - message.created());
    log.info("event=message_time message={} handled={} ms={}", log_value(message.name()), handled, took.count());
  });
  co_return ControlAnswer{true, fmt::format("tracing {}: each is logged with its time\n", what == "all" ? "all messages" : what)};
}

}  // namespace jackfield
