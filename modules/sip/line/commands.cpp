#include "line/commands.h"

#include <jackfield/console.h>
#include <jackfield/engine.h>
#include <jackfield/messages/engine.h>

#include <fmt/format.h>

#include <sstream>
#include <string_view>

namespace jackfield::sip::line {

namespace {

namespace param = messages::param;

constexpr std::string_view kUsage = "usage: connection list | show NAME | register NAME | unregister NAME\r\n";
constexpr std::string_view kHelp = "  connection list|show NAME|register NAME|unregister NAME  connections to other servers, and what state they are in\r\n";
constexpr std::string_view kVerb = "connection";
constexpr std::string_view kWords[] = {"list", "show", "register", "unregister"};

std::vector<std::string> split(std::string_view line) {
  std::istringstream in{std::string(line)};
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(std::move(word));
  return words;
}

std::string seconds(Duration time) { return fmt::format("{}.{} s", time.count() / 1000, time.count() / 100 % 10); }

}  // namespace

Commands::Commands(Engine& engine, const Table& table) : table_(table) {
  auto& bus = engine.bus();
  const auto install = [&](const messages::MessageName& name, int priority, bool (Commands::*handler)(jackfield::Message&)) {
    handlers_.push_back(bus.install({.message = name, .priority = priority, .track = "sip"}, [this, handler](jackfield::Message& message) { return (this->*handler)(message); }));
  };
  const auto ask = [&](const messages::MessageName& name, int priority, bool (Commands::*handler)(jackfield::Message&) const) {
    handlers_.push_back(bus.install({.message = name, .priority = priority, .track = "sip"}, [this, handler](jackfield::Message& message) { return (this->*handler)(message); }));
  };
  install(messages::kEngineCommand, 100, &Commands::command);
  ask(messages::kEngineHelp, 110, &Commands::help);
  ask(messages::kEngineStatus, 110, &Commands::status);
}

bool Commands::command(jackfield::Message& message) {
  if (message.has(param::kPartword)) return complete(message);
  const auto words = split(message.get(param::kLine));
  if (words.empty() || words[0] != kVerb) return false;
  const auto said = [&](std::string_view text, bool done) {
    message.set_retvalue(text);
    return done;
  };
  const std::string_view what = words.size() > 1 ? std::string_view(words[1]) : "list";
  if (what == "list" && words.size() <= 2) return said(list(), true);
  // add, enable and the like change files: another module's.
  if (what != "show" && what != "register" && what != "unregister") return false;
  if (what != "show" && !may_change(message)) return true;
  if (words.size() != 3) return said(kUsage, false);
  auto* const connection = table_.find(words[2]);
  if (!connection) return said(fmt::format("there is no connection `{}`\r\n", words[2]), false);
  if (what == "show") return said(show(*connection), true);
  if (!connection->settings().enabled) return said(fmt::format("{} is disabled\r\n", words[2]), false);
  if (!connection->settings().registers()) return said(fmt::format("{} does not register: it is a connection of the type {}\r\n", words[2], type_name(connection->settings().type)), false);
  if (what == "register") connection->reregister();
  else connection->unregister();
  return said(fmt::format("{} is being {}\r\n", words[2], what == "register" ? "registered" : "unregistered"), true);
}

bool Commands::complete(jackfield::Message& message) const {
  const auto line = split(message.get(param::kPartline));
  const auto begun = message.get(param::kPartword);
  std::string out(message.retvalue());
  const auto offer = [&](std::string_view word) {
    if (!word.starts_with(begun)) return;
    if (!out.empty()) out += '\t';
    out += word;
  };
  if (line.empty()) offer(kVerb);
  if (line.size() == 1 && line[0] == kVerb) for (const auto word : kWords) offer(word);
  if (line.size() == 2 && line[0] == kVerb && line[1] != "list") table_.each([&](const Connection& connection) { offer(connection.name()); });
  if (line.size() == 1 && line[0] == "status") offer("sip");
  message.set_retvalue(out);
  return false;
}

bool Commands::help(jackfield::Message& message) const {
  const auto line = message.get(param::kLine);
  if (line.empty()) message.set_retvalue(std::string(message.retvalue()) + std::string(kHelp));
  else if (line == kVerb) return message.set_retvalue(std::string(kUsage)), true;
  return false;
}

/// COMPAT §6, and the gauge of each account beside it.
bool Commands::status(jackfield::Message& message) const {
  if (message.get(param::kModule) != "sip accounts") return false;
  std::size_t accounts = 0;
  std::string details;
  table_.each([&](const Connection& connection) {
    const auto& settings = connection.settings();
    if (settings.type == Type::inbound) return;  // others register with these: they are no lines of ours
    details += fmt::format("{}{}={}|{}", accounts++ == 0 ? ';' : ',', settings.name, settings.username, connection.online() ? "online" : "offline");
  });
  message.set_retvalue(fmt::format("{}module=sip,protocol=SIP,format=Username|Status;accounts={}{}\r\n", message.retvalue(), accounts,
                                   message.flag(param::kDetails, true) ? details : ""));
  return true;
}

std::string Commands::list() const {
  if (table_.size() == 0) return "there are no connections\r\n";
  std::string out = fmt::format("{:<20} {:<12} {:<14} {:>8}  {:<28} {}\r\n", "name", "type", "state", "since", "server", "");
  table_.each([&](const Connection& connection) {
    const auto d = connection.describe();
    out += fmt::format("{:<20} {:<12} {:<14} {:>6} s  {:<28} {}\r\n", d.name, d.type, d.state, d.since.count(), d.server.empty() ? "-" : d.server, d.reason);
  });
  return out;
}

std::string Commands::show(const Connection& connection) {
  const auto d = connection.describe();
  const auto& settings = connection.settings();
  std::string out;
  const auto line = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) out += fmt::format("{:<16} {}\r\n", name, value);
  };
  line("connection", d.name);
  line("type", d.type);
  line("state", d.state);
  line("since", fmt::format("{} s", d.since.count()));
  line("reason", d.reason);
  line("user", settings.username);
  line("domain", settings.domain);
  line("owner", settings.owner);
  if (d.next) line(settings.registers() ? "next attempt" : "next look", "in " + seconds(*d.next));
  if (d.granted.count() != 0) line("granted", fmt::format("{} s of {} s asked for", d.granted.count(), settings.interval.count()));
  for (std::size_t index = 0; index < settings.servers.size(); ++index) {
    const auto& server = settings.servers[index];
    auto text = uri_host(server.proxy);
    if (server.registrar != server.proxy) text += ", registrar " + uri_host(server.registrar);
    if (index == connection.context().servers.active()) text += "  (in use)";
    line(index == 0 ? "server" : "", text);
  }
  line("address", d.address);
  line("we are", d.local);
  for (const auto& network : settings.allowed) line("allowed", network.text());
  return out;
}

}  // namespace jackfield::sip::line
