#include "lifecycle/server.h"

#include "control/commands.h"
#include "log/levels.h"

#include <jackfield/messages/engine.h>

#include <fmt/format.h>

#include <algorithm>

namespace jackfield {

using namespace messages;

namespace {

std::string engine_status(Server& server) {
  auto& core = server.core();
  return fmt::format("name=engine,type=system;version={},uptime={},modules={},channels={},dispatching={},queued={},ready={}\r\n",
                     core.run_parameter("version").value_or(""), std::chrono::duration_cast<std::chrono::seconds>(server.uptime()).count(),
                     server.modules().names().size(), core.channels().size(), core.bus().in_flight(), core.bus().queued(), server.ready());
}

std::string object_status(Server& server) {
  auto& core = server.core();
  return fmt::format("name=objects,type=system;channels={},tasks={},timers={},dispatching={},queued={},handlers={},loggers={}\r\n", core.channels().size(),
                     core.running_tasks(), core.timers().running(), core.bus().in_flight(), core.bus().queued(), core.bus().handlers().size(),
                     core.loggers().size());
}

std::string dispatcher_status(Server& server, std::string_view about) {
  constexpr std::string_view kHandlers = " handlers";
  auto& bus = server.core().bus();
  if (about.starts_with(kHandlers)) {
    about.remove_prefix(std::min(kHandlers.size() + 1, about.size()));
    return with_crlf(handler_list(server, {std::string(about)}));
  }
  return fmt::format("name=dispatcher,type=system;handlers={},dispatching={},queued={}\r\n", bus.handlers().size(), bus.in_flight(), bus.queued());
}

Verdict status(Server& server, Message& message) {
  constexpr std::string_view kDispatcher = "dispatcher";
  const auto module = message.get(param::kModule);
  std::string line;
  if (module.empty() || module == "engine") line = engine_status(server);
  else if (module == "objects") line = object_status(server);
  else if (module.starts_with(kDispatcher)) line = dispatcher_status(server, module.substr(kDispatcher.size()));
  if (line.empty()) return false;
  message.set_retvalue(std::string(message.retvalue()) + line);
  return !module.empty();
}

Verdict debug(Server& server, Message& message) {
  const auto module = message.get(param::kModule);
  const auto line = message.get(param::kLine);
  auto& core = server.core();
  const auto loggers = core.loggers();
  const auto known = std::find_if(loggers.begin(), loggers.end(), [&](const Logger* logger) { return logger->name() == module; });
  if (known == loggers.end() && !server.modules().started(module)) return false;
  auto& logger = core.log(module);
  if (!line.empty()) {
    const auto level = parse_log_level(line);
    if (!level) return false;
    logger.set_level(*level);
  }
  message.set_retvalue(fmt::format("{} level {}\r\n", module, log_level_name(logger.level())));
  return true;
}

}  // namespace

std::vector<Bus::Subscription> install_engine_handlers(Server& server) {
  auto& bus = server.core().bus();
  std::vector<Bus::Subscription> out;
  out.push_back(bus.install({.message = kEngineStatus, .priority = 10, .track = "engine"}, [&server](Message& message) { return status(server, message); }));
  out.push_back(bus.install({.message = kEngineDebug, .priority = 150, .track = "engine"}, [&server](Message& message) { return debug(server, message); }));
  out.push_back(bus.install({.message = kEngineHelp, .priority = 10, .track = "engine"}, [](Message& message) { return answer_help(message); }));
  out.push_back(bus.install({.message = kEngineCommand, .priority = 0, .track = "engine"}, [&server](Message& message) { return answer_command(server, message); }));
  return out;
}

}  // namespace jackfield
