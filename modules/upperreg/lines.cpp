#include "lines.h"

#include <jackfield/messages/user.h>

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace jackfield::upperreg {
namespace param = messages::param;
namespace {

constexpr std::string_view kType = "upstream", kLogin = "login", kLogout = "logout";
constexpr Duration kTryEvery{3000};        // a server that is away
constexpr std::size_t kFullServers = 4;    // that many may have all places taken; behind that it is our own memory that is at stake

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
  if (lines->all_.size() >= core->settings.max_domains) lines->release_idle(true);
  if (lines->all_.size() >= core->settings.max_domains) co_return false;
  auto& line = lines->all_[name];
  line.login = lines->parameters(name);
  line.beginning = true;
  auto message = lines->login(name, kLogin);
  const bool performed = co_await settle(core->engine.bus().dispatch(message));
  if (core->stopped) co_return false;
  if (const auto begun = lines->all_.find(name); begun != lines->all_.end()) begun->second.beginning = false;
  if (!performed) {
    core->log.error("event=not_performed connection={} reason={}", log_value(name), log_value(message.get(param::kReason)));
    lines->all_.erase(name);
  }
  co_return performed;
}

void Lines::release_idle(bool room_needed) {
  std::set<std::string> used;
  core_->aors->each([&](const Aor& aor) {
    if (!room_needed || aor.at_a() || aor.busy) used.insert(aor.id.line);
  });
  for (auto line = all_.begin(); line != all_.end();) {
    if (line->first == kUpperLine || line->second.beginning || line->second.waiting != 0 || used.contains(line->first)) {
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
  found->second.unheard = false;
  found->second.last_heard = core_->now();
  const auto before = server.empty() ? found->second.server : std::exchange(found->second.server, server);
  if (!before.empty() && before != found->second.server) return News::moved;
  return back ? News::back : News::none;
}

bool Lines::same_server(std::string_view one, std::string_view other) const {
  if (one == other) return true;
  const auto a = all_.find(one), b = all_.find(other);
  return a != all_.end() && b != all_.end() && !a->second.server.empty() && a->second.server == b->second.server;
}

void Lines::missed(const std::string& line, WallTime asked) {
  const auto found = all_.find(line);
  if (found == all_.end()) return;
  found->second.silent = true;
  if (found->second.last_heard < asked || found->second.last_heard == WallTime{}) found->second.unheard = true;
}

std::unique_ptr<Lines::Place> Lines::place(const std::string& name) {
  const auto found = all_.find(name);
  if (found == all_.end()) return nullptr;
  auto& line = found->second;
  const auto most = core_->settings.max_waiting;
  if (line.waiting >= most || waiting_ >= most * kFullServers) return nullptr;
  if (line.unheard || !line.online) {
    if (core_->now() < line.tried + std::min(kTryEvery, core_->settings.retry_interval)) return nullptr;
    line.tried = core_->now();
  }
  ++line.waiting;
  ++waiting_;
  return std::make_unique<Place>(core_, *this, name);
}

void Lines::give_back(const std::string& name) {
  --waiting_;
  if (const auto found = all_.find(name); found != all_.end() && found->second.waiting != 0) --found->second.waiting;
}

void Lines::challenged(const std::string& line) {
  if (const auto found = all_.find(line); found != all_.end()) found->second.challenges = true;
}

bool Lines::challenges(const std::string& line) const {
  const auto found = all_.find(line);
  return found != all_.end() && found->second.challenges;
}

bool Lines::forget_made_up(const std::string& name) {
  const auto found = all_.find(name);
  if (found == all_.end() || name == kUpperLine) return false;
  const auto& line = found->second;
  if (!line.server.empty() || line.last_heard != WallTime{} || line.beginning || line.waiting != 0) return false;
  const auto domain = std::string_view(name).substr(kThruLinePrefix.size());
  if (std::ranges::find(core_->settings.thru_domains, domain) != core_->settings.thru_domains.end()) return false;
  send(name, kLogout);
  all_.erase(found);
  return true;
}

}  // namespace jackfield::upperreg
