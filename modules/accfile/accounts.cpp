#include "accounts.h"

#include <jackfield/console.h>
#include <jackfield/messages/engine.h>
#include <jackfield/messages/user.h>

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace jackfield::accfile {
namespace param = messages::param;
namespace {

constexpr std::string_view kVerb = "accounts", kLogin = "login", kLogout = "logout", kReload = "reload";
constexpr std::string_view kUsage = "usage: accounts [reload | login [ACCOUNT] | logout [ACCOUNT] | OPERATION [ACCOUNT]]\r\n";
constexpr std::string_view kHelp = "  accounts [reload|login|logout|OPERATION [ACCOUNT]]  accounts of accfile.conf\r\n";

std::vector<std::string> split(std::string_view line) {
  std::istringstream in{std::string(line)};
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(std::move(word));
  return words;
}

/// Control characters and separators would break the line into other fields.
std::string clean(std::string_view text) {
  std::string out(text);
  std::ranges::replace_if(out, [](unsigned char c) { return c < 0x20 || c == 0x7f || c == ',' || c == '|'; }, '?');
  return out;
}

}  // namespace

void Accounts::use(GeneralSettings general, AccountTable accounts) {
  general_ = std::move(general);
  const auto before = std::exchange(accounts_, std::move(accounts));
  if (!started_) return;
  if (general_.reload) log_in_what_is_new(before);
  for (const auto& operation : general_.auto_oper)
    for (const auto& [name, account] : accounts_)
      if (account.active) send(account, operation);
}

// Those that end come first: what takes their place may have their user or their port.
void Accounts::log_in_what_is_new(const AccountTable& before) {
  for (const auto& [name, account] : before) {
    const auto now = accounts_.find(name);
    if (account.active && (now == accounts_.end() || !now->second.active)) send(account, kLogout);
  }
  for (const auto& [name, account] : accounts_) {
    const auto then = before.find(name);
    if (account.active && (then == before.end() || !(then->second == account))) send(account, kLogin);
  }
}

void Accounts::start() {
  started_ = true;
  for (const auto& [name, account] : accounts_)
    if (account.active) send(account, kLogin);
}

void Accounts::send(const Account& account, std::string_view operation) {
  auto message = account.message(operation, engine_.clock().wall());
  // Whoever asks by hand for an account that the file has switched off wants it on.
  if (operation == kLogin && !account.active) message.set_flag(param::kEnabled, true);
  engine_.bus().enqueue(std::move(message), [this, name = account.name, operation = std::string(operation)](Message& answered, bool handled) {
    if (handled) return;
    const auto reason = answered.get(param::kReason);
    log_.warning("event=not_performed account={} operation={} reason={}", log_value(name), log_value(operation),
                 log_value(reason.empty() ? std::string_view("no module performs it; is sip enabled, and protocol=sip?") : reason));
  });
}

Verdict Accounts::user_notify(const Message& message) {
  const auto name = message.get(param::kAccount);
  if (accounts_.contains(name)) online_[std::string(name)] = message.flag(param::kRegistered);
  return false;
}

Verdict Accounts::engine_command(Message& message) {
  if (message.has(param::kPartline) || message.has(param::kPartword)) {
    complete(message);
    return false;
  }
  const auto line = message.get(param::kLine);
  if (line != kVerb && !line.starts_with(fmt::format("{} ", kVerb))) return false;
  if (line != kVerb && !may_change(message)) return true;
  std::string answer;
  const bool done = command(line, answer);
  message.set_retvalue(answer);
  return done;
}

bool Accounts::command(std::string_view line, std::string& answer) {
  const auto words = split(line);
  if (words.size() == 1) {
    answer = list();
    return true;
  }
  if (words.size() > 3) {
    answer = kUsage;
    return false;
  }
  const auto& operation = words[1];
  if (operation == kReload) {
    if (words.size() > 2) {
      answer = kUsage;
      return false;
    }
    // The file is read by whoever reads all files; what comes of it is in the log and in `accounts`.
    Message reload(messages::kEngineCommand.name, engine_.clock().wall());
    reload.add(param::kLine, "reload accfile").add(param::kCmdAdmin, "true");
    engine_.bus().enqueue(std::move(reload), [this](Message& told, bool handled) {
      if (!handled) log_.error("event=not_reloaded reason={}", log_value(told.retvalue()));
    });
    answer = "The accounts are read again\r\n";
    return true;
  }
  if (words.size() == 3) {
    const auto found = accounts_.find(words[2]);
    if (found == accounts_.end()) {
      answer = fmt::format("there is no account {} in accfile.conf\r\n", words[2]);
      return false;
    }
    if (operation == kLogin && !found->second.problem.empty()) {
      answer = fmt::format("account {} stays disabled: {}\r\n", words[2], found->second.problem);
      return false;
    }
    send(found->second, operation);
    answer = fmt::format("{} of account {} was asked for\r\n", operation, words[2]);
    return true;
  }
  std::size_t count = 0;
  for (const auto& [name, account] : accounts_) {
    if (!account.active) continue;
    send(account, operation);
    ++count;
  }
  answer = fmt::format("{} of {} account{} was asked for\r\n", operation, count, count == 1 ? "" : "s");
  return true;
}

std::string Accounts::list() const {
  if (accounts_.empty()) return "there are no accounts in accfile.conf\r\n";
  std::string out;
  for (const auto& [name, account] : accounts_) {
    const auto told = online_.find(name);
    std::string_view state = told == online_.end() ? "enabled" : told->second ? "online" : "offline";
    if (!account.active) state = "disabled";
    out += fmt::format("{}\t{}\t{}{}{}\r\n", name, account.protocol(), state, account.problem.empty() ? "" : ": ", account.problem);
  }
  return out;
}

void Accounts::complete(Message& message) const {
  const auto words = split(message.get(param::kPartline));
  const auto begun = message.get(param::kPartword);
  std::string out(message.retvalue());
  const auto offer = [&](std::string_view word) {
    if (word.starts_with(begun)) out.append(out.empty() ? "" : "\t").append(word);
  };
  if (words.empty()) offer(kVerb);
  if (words.size() == 1 && words[0] == kVerb)
    for (const auto word : {kLogin, kLogout, kReload}) offer(word);
  if (words.size() == 2 && words[0] == kVerb && words[1] != kReload)
    for (const auto& [name, account] : accounts_) offer(name);
  if (out != message.retvalue()) message.set_retvalue(out);
}

Verdict Accounts::engine_help(Message& message) const {
  const auto line = message.get(param::kLine);
  if (line.empty()) message.set_retvalue(std::string(message.retvalue()) + std::string(kHelp));
  if (line != kVerb) return false;
  message.set_retvalue(kUsage);
  return true;
}

Verdict Accounts::engine_status(Message& message) const {
  const auto module = message.get(param::kModule);
  if (!module.empty() && module != "accfile" && module != "misc") return false;
  const auto active = std::ranges::count_if(accounts_, [](const auto& entry) { return entry.second.active; });
  std::string details;
  if (message.flag(param::kDetails, true)) {
    for (const auto& [name, account] : accounts_) {
      const auto told = online_.find(name);
      details += fmt::format("{}{}={}|{}", details.empty() ? ';' : ',', clean(name), clean(account.protocol()),
                             !account.active ? "disabled" : told == online_.end() ? "enabled" : told->second ? "online" : "offline");
    }
  }
  message.set_retvalue(fmt::format("{}name=accfile,type=misc,format=Protocol|State;accounts={},enabled={}{}\r\n", message.retvalue(), accounts_.size(), active, details));
  return module == "accfile";
}

}  // namespace jackfield::accfile
