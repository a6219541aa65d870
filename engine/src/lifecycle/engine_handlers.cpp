#include "lifecycle/server.h"
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

Verdict status(Server& server, Message& message) {
  const auto module = message.get(param::kModule);
  if (!module.empty() && module != "engine") return false;
  message.set_retvalue(std::string(message.retvalue()) + engine_status(server));
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

constexpr std::string_view kHelp =
    "  status [MODULE]                      what modules say about themselves\r\n"
    "  reload [MODULE]                      read the configuration again\r\n"
    "  module list|load|unload|reload NAME  modules at run time\r\n"
    "  debug MODULE [LEVEL]                 how much a module logs\r\n"
    "  uptime, version\r\n"
    "  drain, undrain                       refuse new calls, take them again\r\n"
    "  stop                                 end the server\r\n";

Verdict help(Message& message) {
  if (!message.get(param::kLine).empty()) return false;
  message.set_retvalue(std::string(kHelp) + std::string(message.retvalue()));
  return false;
}

Verdict command(Server& server, Message& message) {
  const auto line = message.get(param::kLine);
  if (line == "uptime") message.set_retvalue(fmt::format("{} s\r\n", std::chrono::duration_cast<std::chrono::seconds>(server.uptime()).count()));
  else if (line == "version") message.set_retvalue(fmt::format("Jackfield {}\r\n", version_text()));
  else return false;
  return true;
}

}  // namespace

std::vector<Bus::Subscription> install_engine_handlers(Server& server) {
  auto& bus = server.core().bus();
  std::vector<Bus::Subscription> out;
  out.push_back(bus.install({.message = kEngineStatus, .priority = 10, .track = "engine"}, [&server](Message& message) { return status(server, message); }));
  out.push_back(bus.install({.message = kEngineDebug, .priority = 150, .track = "engine"}, [&server](Message& message) { return debug(server, message); }));
  out.push_back(bus.install({.message = kEngineHelp, .priority = 10, .track = "engine"}, [](Message& message) { return help(message); }));
  out.push_back(bus.install({.message = kEngineCommand, .priority = 100, .track = "engine"}, [&server](Message& message) { return command(server, message); }));
  return out;
}

}  // namespace jackfield
