#include "lines.h"

#include <jackfield/messages/user.h>

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace jackfield::upperreg {
namespace param = messages::param;
namespace {

constexpr std::string_view kType = "upstream", kLogin = "login", kLogout = "logout";

}  // namespace

std::string line_of(Mode mode, std::string_view domain) { return mode == Mode::upper ? std::string(kUpperLine) : fmt::format("{}{}", kThruLinePrefix, domain); }

std::vector<std::pair<std::string, std::string>> Lines::parameters(std::string_view name) const {
  const bool upper = name == kUpperLine;
  auto out = (upper ? core_->settings.upper : core_->settings.thru).login;
  if (!upper) {
    const std::string domain(name.substr(kThruLinePrefix.size()));
    out.emplace_back("servers", domain);
    out.emplace_back("domain", domain);
  }
  return out;
}

Message Lines::login(std::string_view name, std::string_view operation) const {
  Message out(messages::kUserLogin.name, core_->now());
  out.add(param::kAccount, name).add(param::kOperation, operation).add(param::kProtocol, "sip").add(param::kConnection, kType).add(param::kEnabled, "true");
  for (const auto& [key, value] : parameters(name)) out.add(key, value);
  return out;
}

void Lines::send(std::string_view name, std::string_view operation) {
  core_->engine.bus().enqueue(login(name, operation), [core = core_, name = std::string(name), operation = std::string(operation)](Message& answered, bool handled) {
    if (handled || core->stopped || operation == kLogout) return;
    const auto reason = answered.get(param::kReason);
    core->log.error("event=not_performed connection={} reason={}", log_value(name), log_value(reason.empty() ? std::string_view("no module performs it; is sip enabled?") : reason));
  });
}

bool Lines::configured(std::string_view name) const {
  const auto& settings = core_->settings;
  if (name == kUpperLine) return settings.upper.enabled;
  return settings.thru.enabled && name.starts_with(kThruLinePrefix) && settings.serves(name.substr(kThruLinePrefix.size()));
}

void Lines::refresh() {
  std::set<std::string> wanted;
  if (core_->settings.upper.enabled) wanted.insert(std::string(kUpperLine));
  std::map<std::string, std::string> servers;  // as the journal has them
  core_->aors->each([&](const Aor& aor) {
    if (!configured(aor.id.line)) return;
    wanted.insert(aor.id.line);
    if (!aor.server.empty()) servers[aor.id.line] = aor.server;
  });
  for (auto line = all_.begin(); line != all_.end();) {
    if (wanted.contains(line->first) || configured(line->first)) {
      ++line;
      continue;
    }
    send(line->first, kLogout);
    line = all_.erase(line);
  }
  for (const auto& [name, line] : all_) wanted.insert(name);
  for (const auto& name : wanted) {
    auto login = parameters(name);
    auto& line = all_[name];
    if (line.login == login) continue;
    line.login = std::move(login);
    if (line.server.empty()) line.server = servers[name];
    send(name, kLogin);
  }
}

Task<bool> Lines::ready(std::shared_ptr<Core> core, Lines* lines, std::string name) {
  if (lines->all_.contains(name)) co_return true;
  if (!lines->configured(name)) co_return false;
  if (lines->all_.size() >= core->settings.max_domains) lines->release_idle();
  if (lines->all_.size() >= core->settings.max_domains) co_return false;
  auto& line = lines->all_[name];
  line.login = lines->parameters(name);
  auto message = lines->login(name, kLogin);
  const bool performed = co_await settle(core->engine.bus().dispatch(message));
  if (core->stopped) co_return false;
  if (!performed) {
    core->log.error("event=not_performed connection={} reason={}", log_value(name), log_value(message.get(param::kReason)));
    lines->all_.erase(name);
  }
  co_return performed;
}

void Lines::release_idle() {
  std::set<std::string> used;
  core_->aors->each([&](const Aor& aor) { used.insert(aor.id.line); });
  for (auto line = all_.begin(); line != all_.end();) {
    if (line->first == kUpperLine || used.contains(line->first)) {
      ++line;
      continue;
    }
    send(line->first, kLogout);
    line = all_.erase(line);
  }
}

Lines::News Lines::heard(const std::string& line, const std::string& server) {
  const auto found = all_.find(line);
  if (found == all_.end()) return News::none;
  const bool back = std::exchange(found->second.silent, false);
  const auto before = server.empty() ? found->second.server : std::exchange(found->second.server, server);
  if (!before.empty() && before != found->second.server) return News::moved;
  return back ? News::back : News::none;
}

bool Lines::same_server(std::string_view one, std::string_view other) const {
  if (one == other) return true;
  const auto a = all_.find(one), b = all_.find(other);
  return a != all_.end() && b != all_.end() && !a->second.server.empty() && a->second.server == b->second.server;
}

void Lines::missed(const std::string& line) {
  if (const auto found = all_.find(line); found != all_.end()) found->second.silent = true;
}

}  // namespace jackfield::upperreg
