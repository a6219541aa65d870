#include "control/commands.h"

#include "lifecycle/server.h"

#include <jackfield/messages/engine.h>

#include <fmt/format.h>

#include <sstream>
#include <vector>

namespace jackfield {

using namespace messages;

namespace {

using Words = std::vector<std::string>;

Words split(const std::string& line) {
  std::istringstream in(line);
  Words words;
  for (std::string word; in >> word;) words.push_back(std::move(word));
  return words;
}

std::string rest_of(const Words& words, std::size_t from) {
  return fmt::format("{}", fmt::join(words.begin() + static_cast<std::ptrdiff_t>(std::min(from, words.size())), words.end(), " "));
}

/// CR LF, as consoles speak, becomes LF.
std::string plain_lines(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c != '\r') out += c;
  return out;
}

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
  co_return ControlAnswer{handled || any_verdict, plain_lines(message.retvalue())};
}

Message make(Server& server, std::string_view name) {
  Message message(name, server.core().clock().wall());
  message.set_flag(param::kCmdAdmin, true);
  return message;
}

Task<ControlAnswer> status(Server& server, Words words) {
  const auto which = words.size() > 1 ? words[1] : std::string();
  if (which == "--ready") co_return ControlAnswer{server.ready(), server.ready() ? "ready\n" : "not ready\n"};
  if (which == "--metrics") co_return ControlAnswer{true, server.core().metrics().prometheus_text()};
  Message message = make(server, kEngineStatus);
  if (!which.empty()) message.set(param::kModule, rest_of(words, 1));
  auto asking = ask(server, std::move(message), which.empty(), fmt::format("no module `{}` answers\n", rest_of(words, 1)));
  co_return co_await std::move(asking);
}

std::string module_list(Server& server) {
  std::string out;
  for (const auto* module : server.modules().list()) out += fmt::format("{:<12} loaded   {}\n", module->name, module->summary);
  for (const auto& name : server.configuration().modules().names())
    if (!server.modules().started(name)) out += fmt::format("{:<12} -\n", name);
  return out;
}

Task<ControlAnswer> module(Server& server, Words words) {
  const auto what = words.size() > 1 ? words[1] : std::string("list");
  if (what == "list") co_return ControlAnswer{true, module_list(server)};
  if (words.size() != 3) co_return ControlAnswer{false, "usage: module list | load NAME | unload NAME | reload NAME\n"};
  const auto& name = words[2];
  if (what == "load") co_return to_answer(server.load_module(name), fmt::format("module `{}` is loaded", name));
  if (what == "reload") co_return to_answer(server.reload(name), fmt::format("module `{}` has read its configuration again", name));
  if (what == "unload") {
    auto unloading = server.unload_module(name);
    const auto report = co_await std::move(unloading);
    co_return to_answer(report, fmt::format("module `{}` is stopped", name));
  }
  co_return ControlAnswer{false, fmt::format("`module {}` is not known; use list, load, unload or reload\n", what)};
}

Task<ControlAnswer> debug(Server& server, Words words) {
  if (words.size() < 2) co_return ControlAnswer{false, "usage: debug MODULE [trace|debug|info|warning|error|off]\n"};
  Message message = make(server, kEngineDebug);
  message.set(param::kModule, words[1]);
  message.set(param::kLine, rest_of(words, 2));
  auto asking = ask(server, std::move(message), false, fmt::format("there is no module `{}`, or `{}` is no level\n", words[1], rest_of(words, 2)));
  co_return co_await std::move(asking);
}

/// `drain timeout` tells a client how long a stop may take, in milliseconds.
ControlAnswer drain(Server& server, const Words& words) {
  if (words.size() == 2 && words[0] == "drain" && words[1] == "timeout")
    return {true, fmt::format("{}\n", server.configuration().engine().drain_timeout.count())};
  if (words.size() != 1) return {false, fmt::format("usage: {}\n", words[0])};
  if (!server.set_draining(words[0] == "drain")) return {false, "the server is stopping\n"};
  return {true, words[0] == "drain" ? fmt::format("draining: new calls are refused, {} channels go on\n", server.core().channels().size()) : "new calls are taken\n"};
}

Task<ControlAnswer> help(Server& server, Words words) {
  Message message = make(server, kEngineHelp);
  if (words.size() > 1) message.set(param::kLine, rest_of(words, 1));
  auto asking = ask(server, std::move(message), true, fmt::format("there is no help about `{}`\n", rest_of(words, 1)));
  co_return co_await std::move(asking);
}

}  // namespace

Task<ControlAnswer> execute_command(Server& server, std::string line) {
  auto words = split(line);
  if (words.empty()) co_return ControlAnswer{false, "an empty line is no command; try `help`\n"};
  const auto verb = words.front();
  if (verb == "status") co_return co_await status(server, std::move(words));
  if (verb == "module") co_return co_await module(server, std::move(words));
  if (verb == "debug") co_return co_await debug(server, std::move(words));
  if (verb == "help") co_return co_await help(server, std::move(words));
  if (verb == "reload") co_return to_answer(server.reload(words.size() > 1 ? words[1] : std::string()), "reloaded");
  if (verb == "drain" || verb == "undrain") co_return drain(server, words);
  if (verb == "stop") {
    server.request_stop();
    co_return ControlAnswer{true, "stopping\n"};
  }
  Message message = make(server, kEngineCommand);
  message.set(param::kLine, line);
  auto asking = ask(server, std::move(message), false, fmt::format("Cannot understand: {}\n", line));
  co_return co_await std::move(asking);
}

}  // namespace jackfield
