#include "control/commands.h"

#include "lifecycle/server.h"
#include "questions/explain.h"
#include "questions/question.h"

#include <jackfield/console.h>
#include <jackfield/messages/engine.h>

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace jackfield {

using namespace messages;

namespace {

using Words = std::vector<std::string>;

Words split(std::string_view line) {
  std::istringstream in{std::string(line)};
  Words words;
  for (std::string word; in >> word;) words.push_back(std::move(word));
  return words;
}

Task<ControlAnswer> only_in_a_console(CommandCall call) {
  co_return ControlAnswer{false, fmt::format("`{}` is of use in a console only: `jackfield console`\n", call.word(0))};
}

Words module_names(Server& server) { return server.modules().names(); }

Words with(Words words, std::initializer_list<std::string_view> more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Words first_word(const Words& before, Words words) { return before.size() == 1 ? std::move(words) : Words(); }

Words complete_status(Server& server, const Words& before) {
  if (before.size() == 1) return with(module_names(server), {"overview", "engine", "objects", "dispatcher"});
  if (before[1] == "dispatcher") return before.size() == 2 ? Words{"handlers"} : Words();
  return before[1] == "overview" && before.size() == 2 ? with(module_names(server), {"engine"}) : Words();
}

Words complete_channels(Server& server, const Words& before) {
  Words words;
  if (before.size() != 1) return words;
  for (const auto* channel : server.core().channels().all()) words.push_back(channel->id());
  if (before[0] == "drop") words.emplace_back("all");
  return words;
}

Words complete_debug(Server& server, const Words& before) {
  if (before.size() == 2) return {"trace", "debug", "info", "warning", "error", "off"};
  if (before.size() != 1) return {};
  Words words = with({}, {"level", "on", "off", "threshold"});
  for (const auto* logger : server.core().loggers()) words.push_back(logger->name());
  return words;
}

Words complete_module(Server& server, const Words& before) {
  if (before.size() == 1) return {"list", "load", "unload", "reload"};
  if (before.size() != 2 || before[1] == "list") return {};
  if (before[1] != "load") return module_names(server);
  Words words;
  for (auto& name : server.configuration().modules().names())
    if (!server.modules().started(name)) words.push_back(std::move(name));
  return words;
}

Words complete_events(Server& server, const Words& before) {
  Words words;
  for (const auto& line : server.core().log_feed().events()) words.push_back(line.module);
  if (before.size() == 1) words.emplace_back("clear");
  return before.size() <= 2 ? words : Words();
}

Words complete_runparam(Server& server, const Words& before) {
  Words words;
  for (const auto& [name, value] : server.core().run_parameters()) words.push_back(name);
  return first_word(before, std::move(words));
}

Words complete_help(Server&, const Words& before) {
  Words words;
  for (const auto& command : all_commands()) words.emplace_back(command.verb);
  return first_word(before, std::move(words));
}

Words complete_explain(Server& server, const Words& before) {
  if (before.size() == 1) return questions::known_names(server.core().recorder(), true);
  return before.size() == 2 ? Words{"--all"} : Words();
}

Words complete_route(Server& server, const Words& before) {
  using questions::kRouteOptions;
  const auto& last = before.back();
  const bool wants_value = std::ranges::find(kRouteOptions, last) != kRouteOptions.end();
  if (wants_value && last != kRouteOptions.front()) return {};
  Words words;
  if (wants_value || before.size() == 1) words = questions::known_names(server.core().recorder(), false);
  if (wants_value) return words;
  for (const auto option : kRouteOptions)
    if (std::ranges::find(before, option) == before.end()) words.emplace_back(option);
  return words;
}

Words complete_modules(Server& server, const Words& before) { return first_word(before, module_names(server)); }
Words complete_handlers(Server&, const Words& before) { return first_word(before, {"handlers"}); }
Words complete_now(Server&, const Words& before) { return first_word(before, {"now"}); }
Words complete_switch(Server&, const Words& before) { return first_word(before, {"on", "off"}); }

constexpr Command kCommands[] = {
    {"call", "SOURCE DESTINATION", "Calls SOURCE (sip/sip:101@…) and connects it with DESTINATION once it has answered", true, run_call},
    {"cfgmerge", "", "Says why there is nothing to merge", true, run_cfgmerge},
    {"color", "[on|off]", "Whether what a console shows is coloured", false, only_in_a_console, complete_switch},
    {"control", "CHANNEL [OPERATION] [NAME=VALUE]…", "Has an operation done on a channel; `query` shows what it is about", true, run_control, complete_channels},
    {"date", "", "The server's date and time", false, run_date},
    {"debug", "[MODULE] [LEVEL|on|off] | threshold LEVEL", "How much is logged, by one module or by all; the threshold is for what a console is streamed", true,
     run_debug, complete_debug},
    {"dispatcher", "[handlers] [name=MESSAGE] [trackname=MODULE]", "The bus's handlers, in the order they are asked", false, run_dispatcher, complete_handlers},
    {"drain", "", "Refuses new calls and registrations; those under way go on", true, run_drain},
    {"drop", "CHANNEL|DRIVER|all [REASON]", "Ends a call's leg, or all of a driver's, or all", true, run_drop, complete_channels},
    {"echo", "[TEXT]", "Says the text back", false, only_in_a_console},
    {"events", "[MODULE] | clear [MODULE]", "The last warnings and errors", false, run_events, complete_events},
    {"explain", "CALL-ID|BILLID|CHANNEL|AOR [--all]", "What became of a call, or of a user's registrations: SIP messages, who was asked, what he answered", false, run_explain,
     complete_explain},
    {"help", "[COMMAND]", "This list, or what a command means", false, run_help, complete_help},
    {"logview", "", "The last lines of the log", false, run_logview},
    {"machine", "[on|off]", "Answers for programs, and every dispatched message as it passes", false, only_in_a_console, complete_switch},
    {"meminfo", "", "How much memory the server has", false, run_meminfo},
    {"module", "list | load|unload|reload NAME", "Modules at run time", true, run_module, complete_module},
    {"output", "[on|off]", "Streams the log to the console", false, only_in_a_console, complete_switch},
    {"quit", "", "Leaves the console", false, only_in_a_console},
    {"reload", "[MODULE]", "Reads the configuration again; a bad file changes nothing", true, run_reload, complete_modules},
    {"restart", "[now]", "Ends the server for its supervisor to start it anew; `now` waits for no call", true, run_restart, complete_now},
    {"route", "CALLED --caller X [--address A] [--time T] [NAME=VALUE]…", "What would become of a call: who is asked, each rule, and where it goes; nothing is done", false, run_route,
     complete_route},
    {"runparam", "[NAME[=VALUE]]", "Run parameters, what `${NAME}` in files means; one that is set keeps its value", true, run_runparam, complete_runparam},
    {"status", "[overview] [MODULE]", "What the engine and the modules say about themselves; `engine`, `objects` and `dispatcher` are the engine's", false, run_status,
     complete_status},
    {"stop", "[EXIT CODE]", "Ends the server", true, run_stop},
    {"trace_msg_time", "[MESSAGE|all|off]", "Logs how long messages took from their making to their end", true, run_trace_msg_time},
    {"undrain", "", "Takes new calls again", true, run_drain},
    {"uptime", "", "How long the server runs, and the processor time it took", false, run_uptime},
    {"version", "", "The version and the commit", false, run_version},
};

static_assert(std::ranges::is_sorted(kCommands, {}, &Command::verb));  // find_command() searches it

/// Only the parameters that tell where a command comes from.
Message caller_of(const Message& message) {
  Message caller(message.name(), message.created());
  for (const auto& [name, value] : message.parameters())
    if (name.starts_with("cmd_")) caller.add(name, value);
  return caller;
}

Task<bool> answer(const Command& command, CommandCall call, Message& message) {
  if (command.changes && !may_change(message)) co_return true;
  auto running = command.run(std::move(call));
  const auto answer = co_await std::move(running);
  message.set_retvalue(with_crlf(answer.text));
  if (!answer.ok) message.set_flag(param::kOperationStatus, false);
  co_return true;
}

/// Answers nothing itself, so that modules add theirs; those learn in `complete` where channels are wanted.
void complete(Server& server, Message& message) {
  const auto before = split(message.get(param::kPartline));
  const auto part = message.get(param::kPartword);
  Words words;
  if (before.empty()) {
    for (const auto& command : kCommands) words.emplace_back(command.verb);
  } else if (const auto* command = find_command(before.front()); command && command->complete) {
    words = command->complete(server, before);
    if (command->complete == complete_channels && before.size() == 1) message.set(param::kComplete, "channels");
  }
  std::string out(message.retvalue());
  for (const auto& word : words)
    if (word.starts_with(part)) out.append(out.empty() ? "" : "\t").append(word);
  message.set_retvalue(out);
}

}  // namespace

std::span<const Command> all_commands() { return kCommands; }

const Command* find_command(std::string_view verb) {
  const auto found = std::ranges::lower_bound(kCommands, verb, {}, &Command::verb);
  return found != std::end(kCommands) && found->verb == verb ? found : nullptr;
}

std::string CommandCall::rest(std::size_t index) const {
  return fmt::format("{}", fmt::join(words.begin() + static_cast<std::ptrdiff_t>(std::min(index, words.size())), words.end(), " "));
}

Message CommandCall::make(std::string_view name) const {
  Message message(name, server.core().clock().wall());
  message.merge_missing(asked);
  return message;
}

ControlAnswer either(const CommandCall& call, bool ok, std::string program, std::string text) {
  return {ok, (call.machine ? std::move(program) : std::move(text)) + "\n"};
}

ControlAnswer usage_of(std::string_view verb) { return {false, fmt::format("usage: {} {}\n", verb, find_command(verb)->usage)}; }

Verdict answer_command(Server& server, Message& message) {
  if (message.has(param::kPartline) || message.has(param::kPartword)) {
    complete(server, message);
    return false;
  }
  auto words = split(message.get(param::kLine));
  const auto* command = words.empty() ? nullptr : find_command(words.front());
  if (command == nullptr) return false;
  const bool machine = message.flag(param::kCmdMachine);
  return answer(*command, CommandCall{server, std::move(words), machine, caller_of(message)}, message);
}

Verdict answer_help(Message& message) {
  const auto about = message.get(param::kLine);
  if (about.empty()) {
    std::string list;
    for (const auto& command : kCommands) list += fmt::format("  {:<52} {}\r\n", fmt::format("{} {}", command.verb, command.usage), command.doc);
    message.set_retvalue(list + std::string(message.retvalue()));
    return false;
  }
  const auto* command = find_command(about);
  if (command == nullptr) return false;
  message.set_retvalue(fmt::format("  {} {}\r\n{}.\r\n", command->verb, command->usage, command->doc));
  return true;
}

std::string with_crlf(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  for (const char c : text) {
    if (c == '\n' && !out.ends_with('\r')) out += '\r';
    out += c;
  }
  return out;
}

}  // namespace jackfield
