// Commands about the server as a whole: its state, its life, its modules.
#include "control/commands.h"

#include "lifecycle/server.h"
#include "lifecycle/version.h"

#include <jackfield/messages/engine.h>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <charconv>
#include <cstdlib>
#include <fstream>

namespace jackfield {

using namespace messages;

namespace {

ControlAnswer to_answer(const Modules::Report& report, std::string_view done) {
  ControlAnswer answer{.ok = report.done, .text = {}};
  for (const auto& problem : report.problems) answer.text += settings::to_text(problem) + "\n";
  answer.text += report.done ? fmt::format("{}\n", done) : "refused: nothing has changed\n";
  return answer;
}

/// Dispatches and answers what the handlers wrote. Text without a verdict is a refusal's reason; `unknown` when nobody said anything.
Task<ControlAnswer> ask(Server& server, Message message, bool any_verdict, std::string unknown) {
  auto verdict = server.core().bus().dispatch(message);
  const bool handled = co_await settle(std::move(verdict));
  if (!handled && message.retvalue().empty()) co_return ControlAnswer{false, std::move(unknown)};
  co_return ControlAnswer{handled || any_verdict, std::string(message.retvalue())};
}

std::string module_list(Server& server) {
  std::string out;
  for (const auto* module : server.modules().list()) out += fmt::format("{:<12} loaded   {}\n", module->name, module->summary);
  for (const auto& name : server.configuration().modules().names())
    if (!server.modules().started(name)) out += fmt::format("{:<12} -\n", name);
  return out;
}

long long seconds_of(const timeval& time) { return time.tv_sec; }

/// Only systemd's notify socket tells that somebody starts the server again.
bool supervised() { return std::getenv("NOTIFY_SOCKET") != nullptr; }

}  // namespace

Task<ControlAnswer> run_status(CommandCall call) {
  auto& server = call.server;
  const auto which = call.word(1);
  if (which == "--ready") co_return ControlAnswer{server.ready(), server.ready() ? "ready\n" : "not ready\n"};
  if (which == "--metrics") co_return ControlAnswer{true, server.core().metrics().prometheus_text()};
  const bool overview = which == "overview";
  const auto module = call.rest(overview ? 2 : 1);
  Message message = call.make(kEngineStatus);
  if (!module.empty()) message.set(param::kModule, module);
  if (overview) message.set_flag(param::kDetails, false);
  auto asking = ask(server, std::move(message), module.empty(), fmt::format("no module `{}` answers\n", module));
  co_return co_await std::move(asking);
}

Task<ControlAnswer> run_uptime(CommandCall call) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(call.server.uptime()).count();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto user = seconds_of(usage.ru_utime), kernel = seconds_of(usage.ru_stime);
  co_return either(call, true, fmt::format("%%=uptime:{}:{}:{}", seconds, user, kernel),
                   fmt::format("Uptime: {} {:02}:{:02}:{:02} ({} s), processor: user {} s, kernel {} s", seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60,
                               seconds % 60, seconds, user, kernel));
}

Task<ControlAnswer> run_date(CommandCall call) {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(call.server.core().clock().wall().time_since_epoch()).count();
  const auto local = fmt::localtime(static_cast<std::time_t>(now));
  co_return either(call, true, fmt::format("%%=date:{}", now), fmt::format("Date: {:%Y-%m-%d %H:%M:%S %z} ({})", local, now));
}

Task<ControlAnswer> run_version(CommandCall) { co_return ControlAnswer{true, fmt::format("Jackfield {}\n", version_text())}; }

Task<ControlAnswer> run_help(CommandCall call) {
  const auto about = call.rest(1);
  Message message = call.make(kEngineHelp);
  if (!about.empty()) message.set(param::kLine, about);
  auto asking = ask(call.server, std::move(message), true, fmt::format("there is no help about `{}`\n", about));
  co_return co_await std::move(asking);
}

Task<ControlAnswer> run_reload(CommandCall call) {
  const auto report = call.server.reload(call.word(1));
  if (!call.machine) co_return to_answer(report, "reloaded");
  co_return ControlAnswer{report.done, report.done ? "%%=reload\n" : "%%=reload:fail\n"};
}

// The server cannot start itself: it would have lost the rights and the terminal it began with. Who supervises it can.
Task<ControlAnswer> run_restart(CommandCall call) {
  if (call.words.size() > 2 || (call.words.size() == 2 && call.words[1] != "now")) co_return usage_of("restart");
  if (!supervised())
    co_return either(call, false, "%%=restart:fail", "nobody would start the server again: it runs under no supervisor (systemd). Stop it, and start it as before");
  call.server.request_stop(Server::kRestartCode, call.words.size() == 2);
  co_return either(call, true, "%%=restart", "ending; the supervisor starts the server anew");
}

Task<ControlAnswer> run_stop(CommandCall call) {
  int code = 0;
  if (const auto word = call.word(1); !word.empty()) {
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), code);
    if (error != std::errc() || end != word.data() + word.size() || code < 0 || code > 255)
      co_return ControlAnswer{false, fmt::format("`{}` is no exit code: 0 to 255\n", word)};
  }
  call.server.request_stop(code);
  co_return either(call, true, "%%=shutdown", "stopping");
}

/// `drain timeout` tells a client how long a stop may take, in milliseconds.
Task<ControlAnswer> run_drain(CommandCall call) {
  auto& server = call.server;
  const bool draining = call.word(0) == "drain";
  if (draining && call.words.size() == 2 && call.words[1] == "timeout")
    co_return ControlAnswer{true, fmt::format("{}\n", server.configuration().engine().drain_timeout.count())};
  if (call.words.size() != 1) co_return ControlAnswer{false, fmt::format("usage: {}\n", call.words[0])};
  if (!server.set_draining(draining)) co_return ControlAnswer{false, "the server is stopping\n"};
  co_return ControlAnswer{true, draining ? fmt::format("draining: new calls are refused, {} channels go on\n", server.core().channels().size()) : "new calls are taken\n"};
}

Task<ControlAnswer> run_module(CommandCall call) {
  auto& server = call.server;
  const auto what = call.words.size() > 1 ? call.words[1] : std::string("list");
  if (what == "list") co_return ControlAnswer{true, module_list(server)};
  if (call.words.size() != 3) co_return usage_of("module");
  const auto& name = call.words[2];
  if (what == "load") co_return to_answer(server.load_module(name), fmt::format("module `{}` is loaded", name));
  if (what == "reload") co_return to_answer(server.reload(name), fmt::format("module `{}` has read its configuration again", name));
  if (what == "unload") {
    auto unloading = server.unload_module(name);
    const auto report = co_await std::move(unloading);
    co_return to_answer(report, fmt::format("module `{}` is stopped", name));
  }
  co_return ControlAnswer{false, fmt::format("`module {}` is not known; use list, load, unload or reload\n", what)};
}

Task<ControlAnswer> run_runparam(CommandCall call) {
  auto& core = call.server.core();
  const auto text = call.rest(1);
  ControlAnswer answer;
  if (text.empty()) {
    for (const auto& [name, value] : core.run_parameters()) answer.text += fmt::format("{}={}\n", name, value);
    co_return answer;
  }
  const auto name = text.substr(0, text.find('='));
  if (name.size() != text.size() && !core.add_run_parameter(name, text.substr(name.size() + 1)))
    co_return ControlAnswer{false, fmt::format("{} is {} and stays so: a run parameter is set once\n", name, core.run_parameter(name).value_or(""))};
  const auto value = core.run_parameter(name);
  if (!value) co_return ControlAnswer{false, fmt::format("there is no run parameter `{}`\n", name)};
  co_return ControlAnswer{true, fmt::format("{}={}\n", name, *value)};
}

Task<ControlAnswer> run_meminfo(CommandCall) {
  ControlAnswer answer;
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("Vm") || line.starts_with("Rss") || line.starts_with("Threads")) answer.text += line + "\n";
  if (answer.text.empty()) co_return ControlAnswer{false, "the system tells nothing: /proc is not there\n"};
  co_return answer;
}

Task<ControlAnswer> run_cfgmerge(CommandCall) {
  co_return ControlAnswer{false, "there is no merged configuration: each module has one file, and `reload` reads all of them\n"};
}

}  // namespace jackfield
