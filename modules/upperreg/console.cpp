#include "console.h"

#include <jackfield/console.h>
#include <jackfield/messages/engine.h>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace jackfield::upperreg {
namespace param = messages::param;
namespace {

constexpr std::string_view kVerb = "upperreg";
constexpr std::string_view kUsage =
    "usage: upperreg status | list [AOR] | show AOR | resync [AOR] | drop AOR\r\n"
    "  status  the servers that phones are registered at\r\n"
    "  list    users that are registered there: AOR, server, contact, state, seconds left, phones\r\n"
    "  show    all that is known of one\r\n"
    "  resync  registers those whose credentials are kept here again, at once\r\n"
    "  drop    ends the registration of a user there and of his phones here\r\n";
constexpr std::string_view kHelp = "  upperreg status|list|show|resync|drop [AOR]  phones that are registered at another server\r\n";
constexpr std::size_t kMostCompleted = 50;

enum class Needs : std::uint8_t { nothing, maybe_aor, aor };

/// Control characters and separators would break the line into other fields.
std::string clean(std::string_view text) {
  std::string out(text);
  std::ranges::replace_if(out, [](unsigned char c) { return c < 0x20 || c == 0x7f || c == ',' || c == ';' || c == '|'; }, '?');
  return out;
}

std::vector<std::string> split(std::string_view line) {
  std::istringstream in{std::string(line)};
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(std::move(word));
  return words;
}

}  // namespace

struct Console::Command {
  std::string_view name;
  Needs needs;
  bool changes;
  bool (Console::*run)(std::string& out, std::string_view aor);
};
const Console::Command Console::kCommands[5] = {
    {"status", Needs::nothing, false, &Console::status}, {"list", Needs::maybe_aor, false, &Console::list}, {"show", Needs::aor, false, &Console::show},
    {"resync", Needs::maybe_aor, true, &Console::resync}, {"drop", Needs::aor, true, &Console::drop},
};

std::vector<const Aor*> Console::sorted() const {
  std::vector<const Aor*> out;
  core_->aors->each([&](const Aor& aor) {
    if (aor.at_a()) out.push_back(&aor);
  });
  std::ranges::sort(out, {}, [](const Aor* aor) -> const std::string& { return aor->id.name; });
  return out;
}

Verdict Console::engine_status(Message& message) const {
  const auto module = message.get(param::kModule);
  if (!module.empty() && module != kVerb && module != "misc") return false;
  std::size_t registered = 0, doubtful = 0;
  core_->aors->each([&](const Aor& aor) {
    registered += aor.state() == AorState::registered;
    doubtful += aor.state() == AorState::doubtful;
  });
  std::string details;
  if (message.flag(param::kDetails, true))
    for (const auto& [name, line] : lines_.all())
      details += fmt::format("{}{}={}|{}", details.empty() ? ';' : ',', clean(name), clean(line.server), line.silent || !line.online ? "away" : "there");
  message.set_retvalue(fmt::format("{}name=upperreg,type=misc,format=Server|State;connections={},registered={},doubtful={},phones={},sending={}{}\r\n", message.retvalue(), lines_.size(),
                                   registered, doubtful, core_->store->bindings().size(), refresher_.under_way(), details));
  return module == kVerb;
}

Verdict Console::engine_help(Message& message) const {
  const auto line = message.get(param::kLine);
  if (line.empty()) message.set_retvalue(std::string(message.retvalue()) + std::string(kHelp));
  if (line != kVerb) return false;
  message.set_retvalue(kUsage);
  return true;
}

Verdict Console::engine_command(Message& message) {
  if (message.has(param::kPartline) || message.has(param::kPartword)) {
    complete(message);
    return false;
  }
  const auto words = split(message.get(param::kLine));
  if (words.empty() || words[0] != kVerb) return false;
  const auto* command = words.size() < 2 ? std::end(kCommands) : std::ranges::find(kCommands, words[1], &Command::name);
  const bool fits = command != std::end(kCommands) && words.size() <= (command->needs == Needs::nothing ? 2u : 3u) && (command->needs != Needs::aor || words.size() == 3);
  if (!fits) {
    message.set_retvalue(kUsage);
    return false;
  }
  if (command->changes && !may_change(message)) return true;
  std::string out;
  const bool done = (this->*command->run)(out, words.size() == 3 ? std::string_view(words[2]) : std::string_view());
  message.set_retvalue(out);
  return done;
}

bool Console::status(std::string& out, std::string_view) {
  for (const auto& [name, line] : lines_.all()) {
    std::size_t counts[2][2] = {};
    core_->aors->each([&](const Aor& aor) {
      if (aor.id.line == name && aor.at_a()) ++counts[static_cast<std::size_t>(aor.kind)][aor.state() == AorState::registered];
    });
    out += fmt::format("{}\t{}\t{}\tstored {} registered, {} to be told\trelayed {} registered\r\n", name, line.server.empty() ? "-" : line.server,
                       line.silent || !line.online ? "away" : line.server.empty() ? "unknown" : "there", counts[1][1], counts[1][0], counts[0][1]);
  }
  if (out.empty()) out = "no server is configured in upperreg.conf, and no domain is in use\r\n";
  return true;
}

bool Console::list(std::string& out, std::string_view name) {
  for (const auto* aor : sorted()) {
    if (!name.empty() && aor->id.name != name) continue;
    out += fmt::format("{}\t{}\t{}\t{}\t{} s\t{}\r\n", aor->id.name, aor->server.empty() ? aor->id.line : aor->server, aor->id.token, state_name(aor->state()), aor->remaining(core_->now()).count(), core_->phones(*aor).size());
  }
  if (out.empty()) out = name.empty() ? "nobody is registered elsewhere\r\n" : fmt::format("{} is not registered elsewhere\r\n", name);
  return true;
}

bool Console::show(std::string& out, std::string_view name) {
  const auto* aor = core_->aors->find(name);
  if (!aor) {
    out = fmt::format("{} is not registered elsewhere\r\n", name);
    return false;
  }
  const auto planned = core_->agenda_of.find(aor->id.name);
  const auto next = planned == core_->agenda_of.end() ? std::string("-") : fmt::format("{} s", std::max<long long>(0, std::chrono::ceil<std::chrono::seconds>(planned->second - core_->now()).count()));
  out = fmt::format(
      "aor           {}\r\nat            {}@{} by {} ({})\r\nserver        {}\r\ncredentials   {}\r\ncontact       {}\r\ncall-id       {}\r\nstate         {}\r\ngranted       {} s, {} s left\r\n"
      "next          {}\r\n",
      aor->id.name, aor->id.user, aor->id.domain, aor->id.line, mode_name(aor->id.mode), aor->server.empty() ? "-" : aor->server, kind_name(aor->kind), aor->id.token, aor->id.call_id,
      state_name(aor->state()), aor->granted().count(), aor->remaining(core_->now()).count(), next);
  for (const auto& [key, left] : core_->phones(*aor)) {
    const auto* binding = core_->store->bindings().find(aor->id.name, key);
    out += fmt::format("phone         {} {} s\r\n", binding ? binding->packed().data() : std::string_view(key), left.count());
  }
  return true;
}

bool Console::resync(std::string& out, std::string_view name) {
  if (name.empty()) {
    const auto count = refresher_.resync({}, "a command");
    out = fmt::format("{} {} registered again; phones whose credentials are not kept here are with their next refresh\r\n", count, count == 1 ? "user is" : "users are");
    return true;
  }
  auto* aor = core_->aors->find(name);
  if (!aor || !aor->at_a()) out = fmt::format("{} is not registered elsewhere\r\n", name);
  else if (!refresher_.resync_one(*aor)) out = fmt::format("no credentials are kept for {}: only its phone can register it again\r\n", name);
  else {
    out = fmt::format("{} is registered again\r\n", name);
    return true;
  }
  return false;
}

bool Console::drop(std::string& out, std::string_view name) {
  auto* aor = core_->aors->find(name);
  if (!aor || !aor->at_a()) {
    out = fmt::format("{} is not registered elsewhere\r\n", name);
    return false;
  }
  const bool lapses = aor->kind == Kind::relayed;
  const auto left = aor->remaining(core_->now()).count();
  aor->promises.clear();
  core_->end_bindings(aor->id.name, {}, "dropped by command");
  core_->apply(*aor, AorEvent::emptied, "dropped by command");
  out = lapses ? fmt::format("{} is dropped here; the server there keeps the contact for {} s more: only the phone could take it back\r\n", name, left)
               : fmt::format("{} is dropped\r\n", name);
  return true;
}

void Console::complete(Message& message) const {
  const auto words = split(message.get(param::kPartline));
  const auto begun = message.get(param::kPartword);
  std::string out(message.retvalue());
  const auto offer = [&](std::string_view word) {
    if (word.starts_with(begun)) out.append(out.empty() ? "" : "\t").append(word);
  };
  if (words.empty()) offer(kVerb);
  if (words.size() == 1 && words[0] == kVerb)
    for (const auto& command : kCommands) offer(command.name);
  if (words.size() == 2 && words[0] == kVerb && words[1] != "status") {
    std::size_t count = 0;
    for (const auto* aor : sorted())
      if (aor->id.name.starts_with(begun) && ++count <= kMostCompleted) offer(aor->id.name);
  }
  if (out != message.retvalue()) message.set_retvalue(out);
}

}  // namespace jackfield::upperreg
