#include <jackfield/console.h>

#include <jackfield/message_text.h>
#include <jackfield/messages/engine.h>
#include <jackfield/settings.h>

#include "log/levels.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace jackfield {

using namespace messages;

namespace {

constexpr std::array<std::string_view, 4> kForAnybody = {"quit", "echo", "help", "?"};
constexpr std::array<std::string_view, 6> kForUsers = {"status", "uptime", "date", "machine", "output", "color"};
constexpr std::array<std::string_view, 3> kSwitches = {"machine", "output", "color"};
constexpr std::string_view kBlanks = " \t\r";

bool among(const auto& list, std::string_view word) { return std::ranges::find(list, word) != list.end(); }

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string_view first_word(std::string_view text) { return text.substr(0, text.find_first_of(kBlanks)); }

/// What somebody is told who may not do that, or not yet.
std::string no_rights(std::string_view line, bool machine, std::string_view why) {
  return machine ? fmt::format("%%=*:fail=noauth:{}\r\n", masked_command(line)) : fmt::format("{}\r\n", why);
}

}  // namespace

bool may_change(Message& command) {
  if (command.flag(param::kCmdAdmin)) return true;
  command.set_retvalue(no_rights(command.get(param::kLine), command.flag(param::kCmdMachine), "this changes something, and needs the level admin"));
  command.set_flag(param::kOperationStatus, false);
  return false;
}

std::shared_ptr<ConsoleSession> ConsoleSession::make(Engine& engine, ConsoleOptions options, Stream stream) {
  return std::shared_ptr<ConsoleSession>(new ConsoleSession(engine, std::move(options), std::move(stream)));
}

ConsoleSession::ConsoleSession(Engine& engine, ConsoleOptions options, Stream stream)
    : engine_(engine), options_(std::move(options)), stream_(std::move(stream)) {}

ConsoleSession::~ConsoleSession() = default;

void ConsoleSession::close() {
  message_watch_.reset();
  log_watch_.reset();
}

void ConsoleSession::set_machine(bool on) {
  machine_ = on;
  message_watch_.reset();
  if (!on) return;
  message_watch_ = engine_.bus().watch({}, [this](const Message& message, bool handled) {
    if (options_.level == ConsoleLevel::none) return;
    // The line he has just given himself is no news to him, and its answer comes anyway.
    if (message.name() == kEngineCommand.name && message.get(param::kCmdAddress) == options_.address) return;
    std::string line;
    append_dispatched(line, {}, handled, message, true);
    stream_(line += "\r\n");
  });
}

void ConsoleSession::set_output(bool on) {
  log_watch_.reset();
  if (!on) return;
  log_watch_ = engine_.watch_log([this](LogLevel level, std::string_view line) {
    if (options_.level == ConsoleLevel::none || level < threshold_) return;
    stream_(std::string(line) + "\r\n");
  });
}

bool ConsoleSession::may(std::string_view verb, std::string_view line) const {
  if (options_.level == ConsoleLevel::admin || among(kForAnybody, verb)) return true;
  if (options_.level == ConsoleLevel::none) return false;
  return among(kForUsers, verb) || (options_.user_may && options_.user_may(line));
}

Message ConsoleSession::make_message(std::string_view name) const {
  Message message(name, engine_.clock().wall());
  message.add(param::kCmdAddress, options_.address);
  message.set_flag(param::kCmdMachine, machine_);
  message.set_flag(param::kCmdAdmin, options_.level == ConsoleLevel::admin);
  if (options_.width > 0) message.add(param::kCmdWidth, options_.width);
  if (options_.height > 0) message.add(param::kCmdHeight, options_.height);
  if (options_.offset > 0) message.add(param::kCmdOffset, options_.offset);
  return message;
}

ConsoleAnswer ConsoleSession::toggle(std::string_view verb, std::string_view word) {
  if (!word.empty()) {
    const auto on = parse_boolean(word);
    if (!on) return {false, fmt::format("usage: {} [on|off]\r\n", verb)};
    if (verb == "machine") set_machine(*on);
    else if (verb == "output") set_output(*on);
    else options_.color = *on;
  }
  const auto* state = (verb == "machine" ? machine_ : verb == "output" ? output() : options_.color) ? "on" : "off";
  return {true, machine_ ? fmt::format("%%={}:{}\r\n", verb, state) : fmt::format("{} is {}\r\n", verb, state)};
}

ConsoleAnswer ConsoleSession::threshold(std::string_view word) {
  if (!word.empty()) {
    const auto level = parse_log_level(word);
    if (!level) return {false, fmt::format("`{}` is no level\r\n", word)};
    threshold_ = *level;
  }
  const auto name = log_level_name(threshold_);
  return {true, machine_ ? fmt::format("%%=debug:threshold={}\r\n", name) : fmt::format("the log is streamed from the level {} on\r\n", name)};
}

Task<ConsoleAnswer> ConsoleSession::execute(std::shared_ptr<ConsoleSession> self, std::string given) {
  std::string line(trimmed(given));
  if (line.empty()) co_return ConsoleAnswer{false, "an empty line is no command; try `help`\r\n"};
  if (line.front() == '?') line = "help " + std::string(trimmed(std::string_view(line).substr(1)));
  const auto verb = std::string(first_word(line));
  const auto rest = std::string(trimmed(std::string_view(line).substr(verb.size())));
  if (!self->may(verb, line)) co_return ConsoleAnswer{false, no_rights(line, self->machine_, fmt::format("`{}` needs `auth PASSWORD` first", verb))};
  if (verb == "quit") co_return ConsoleAnswer{true, self->machine_ ? "%%=quit\r\n" : "", true};
  if (verb == "echo") co_return ConsoleAnswer{true, rest + "\r\n"};
  if (among(kSwitches, verb)) co_return self->toggle(verb, rest);
  if (verb == "debug" && first_word(rest) == "threshold") co_return self->threshold(trimmed(std::string_view(rest).substr(9)));

  Message message = self->make_message(kEngineCommand);
  message.set(param::kLine, line);
  auto verdict = self->engine_.bus().dispatch(message);
  const bool handled = co_await settle(std::move(verdict));
  if (!handled && message.retvalue().empty())
    co_return ConsoleAnswer{false, self->machine_ ? fmt::format("%%=syntax:{}\r\n", line) : fmt::format("Cannot understand: {}\r\n", line)};
  ConsoleAnswer answer{handled && message.flag(param::kOperationStatus, true), std::string(message.retvalue())};
  if (!answer.text.empty() && !answer.text.ends_with('\n')) answer.text += "\r\n";
  // A program finds the end of a status by its frame, whatever lines modules write.
  if (verb == "status" && (self->machine_ || !self->options_.prompts)) {
    const auto about = rest.empty() ? std::string() : ":" + rest;
    answer.text = fmt::format("%%+status{}\r\n{}%%-status\r\n", about, answer.text);
  }
  co_return answer;
}

Task<std::vector<std::string>> ConsoleSession::complete(std::shared_ptr<ConsoleSession> self, std::string partline, std::string partword) {
  const std::string before(trimmed(partline));
  std::vector<std::string> words;
  if (!before.empty() && !self->may(first_word(before), before)) co_return words;
  Message message = self->make_message(kEngineCommand);
  message.set(param::kPartline, before);
  message.set(param::kPartword, partword);
  auto verdict = self->engine_.bus().dispatch(message);
  const bool ignored = co_await settle(std::move(verdict));
  (void)ignored;
  std::string_view left = message.retvalue();
  while (!left.empty()) {
    const auto tab = std::min(left.find('\t'), left.size());
    std::string word(left.substr(0, tab));
    // Whatever handlers offer: only what fits, and what he may do.
    if (word.starts_with(partword) && !word.empty() && (!before.empty() || self->may(word, word))) words.push_back(std::move(word));
    left.remove_prefix(std::min(tab + 1, left.size()));
  }
  std::ranges::sort(words);
  words.erase(std::unique(words.begin(), words.end()), words.end());
  co_return words;
}

}  // namespace jackfield
