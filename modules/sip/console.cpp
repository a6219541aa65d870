#include "console.h"

#include <jackfield/console.h>
#include <jackfield/messages/engine.h>
#include <jackfield/settings.h>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "registrar/explain.h"

namespace jackfield::sip {
namespace {

namespace param = messages::param;

constexpr std::string_view kBanUsage = "usage: ban list | add ADDRESS [TIME [REASON]] | remove ADDRESS\r\n";
constexpr std::string_view kRegistrationUsage = "usage: registration list [BEGINNING] | show AOR | add AOR CONTACT | remove AOR CONTACT|all\r\n";
constexpr std::string_view kHelp =
    "  ban list|add ADDRESS [TIME [REASON]]|remove ADDRESS  sources that are shut out\r\n"
    "  registration list [BEGINNING]        who is registered\r\n"
    "  registration show AOR                what is known of a user's bindings, and why one cannot be reached\r\n"
    "  registration add|remove AOR CONTACT  a binding by hand, which never expires, for what does not register itself\r\n";

std::vector<std::string> split(std::string_view line) {
  std::istringstream in{std::string(line)};
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(std::move(word));
  return words;
}

}  // namespace

Console::Console(Core& core, guard::Guard& guard, registrar::Registrar& registrar)
    : core_(core), guard_(guard), registrar_(registrar), by_hand_(core, registrar) {
  auto& bus = core.engine.bus();
  handlers_.push_back(bus.install({.message = messages::kEngineCommand, .priority = 100, .track = "sip"}, [this](jackfield::Message& message) { return command(message); }));
  handlers_.push_back(bus.install({.message = messages::kEngineHelp, .priority = 110, .track = "sip"}, [this](jackfield::Message& message) { return help(message); }));
}

Verdict Console::command(jackfield::Message& message) {
  const auto words = split(message.get(param::kLine));
  if (words.empty()) return false;
  if (words[0] == "registration") return registration(words, message);
  if (words[0] != "ban") return false;
  const bool looks = words.size() == 1 || words[1] == "list";
  if (!looks && !may_change(message)) return true;
  const Answer answer = ban(words);
  message.set_retvalue(answer.text);
  if (answer.changed) return tell_when_kept(guard_.bans().kept(), message);
  return answer.done;
}

Task<bool> Console::tell_when_kept(Task<tl::expected<void, JournalError>> kept, jackfield::Message& message) {
  const auto done = co_await std::move(kept);
  if (done) co_return true;
  message.set_retvalue(fmt::format("{}but this ends with the server: {}\r\n", message.retvalue(), done.error().text));
  co_return false;
}

Verdict Console::help(jackfield::Message& message) {
  const auto line = message.get(param::kLine);
  if (line.empty()) message.set_retvalue(std::string(message.retvalue()) + std::string(kHelp));
  else if (line == "ban") return message.set_retvalue(std::string(kBanUsage)), true;
  else if (line == "registration") return message.set_retvalue(std::string(kRegistrationUsage)), true;
  return false;
}

Verdict Console::registration(const Words& words, jackfield::Message& message) {
  const std::string_view what = words.size() > 1 ? std::string_view(words[1]) : std::string_view();
  if ((what == "add" || what == "remove") && !may_change(message)) return true;
  if (what == "add" && words.size() == 4) return by_hand_.add(message, words[2], words[3]);
  if (what == "remove" && words.size() == 4) return by_hand_.remove(message, words[2], words[3] == "all" ? std::string_view() : std::string_view(words[3]));
  if (what == "list" && words.size() <= 3) {
    message.set_retvalue(registrar::list(core_, registrar_.table(), words.size() == 3 ? std::string_view(words[2]) : std::string_view()));
    return true;
  }
  const bool shows = what == "show" && words.size() == 3;
  message.set_retvalue(shows ? registrar::explain(core_, guard_, registrar_.table(), words[2]) : std::string(kRegistrationUsage));
  return shows;
}

Console::Answer Console::ban(const Words& words) {
  const std::string_view what = words.size() > 1 ? std::string_view(words[1]) : "list";
  if (what == "list" && words.size() <= 2) return {true, ban_list()};
  if (what == "add" && words.size() >= 3) return ban_add(words);
  if (what != "remove" || words.size() != 3) return {false, std::string(kBanUsage)};
  const auto address = net::Address::parse(words[2]);
  if (!address) return {false, fmt::format("`{}` is no IP address\r\n", words[2])};
  if (!guard_.bans().lift(*address)) return {false, fmt::format("{} is not banned\r\n", words[2])};
  core_.log.info("event=ban-lifted address={} by=command", address->host());
  return {true, fmt::format("{} is no longer banned\r\n", words[2]), true};
}

std::string Console::ban_list() const {
  const auto bans = guard_.bans().list();
  if (bans.empty()) return "nobody is banned\r\n";
  std::string out;
  const auto now = core_.engine.clock().wall();
  for (const auto* ban : bans) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(ban->until - now);
    const auto since = fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(ban->since)));
    out += fmt::format("{:<40} {:>8} s left  since {:%Y-%m-%dT%H:%M:%SZ}  {}. time  {}\r\n", ban->address.host(), left.count(), since, ban->times, ban->reason);
  }
  return out;
}

Console::Answer Console::ban_add(const Words& words) {
  const auto address = net::Address::parse(words[2]);
  if (!address) return {false, fmt::format("`{}` is no IP address\r\n", words[2])};
  const auto time = words.size() > 3 ? parse_duration(words[3], std::chrono::seconds(1)) : core_.settings->guard.ban_time;
  if (!time || *time <= Duration(0) || *time > std::chrono::hours(24 * 365 * 10)) return {false, fmt::format("`{}` is no time; write 600, 10m or 2h\r\n", words[3])};
  if (guard_.is_spared(*address)) return {false, fmt::format("{} is trusted= or exempt= and never banned\r\n", words[2])};
  const std::string reason = words.size() > 4 ? fmt::format("{}", fmt::join(words.begin() + 4, words.end(), " ")) : "by command";
  const auto& ban = guard_.bans().add(*address, *time, reason);
  core_.log.info("event=banned address={} seconds={} by=command", ban.address.host(), std::chrono::duration_cast<std::chrono::seconds>(*time).count());
  return {true, fmt::format("{} is banned for {} s\r\n", ban.address.host(), std::chrono::duration_cast<std::chrono::seconds>(*time).count()), true};
}

}  // namespace jackfield::sip
