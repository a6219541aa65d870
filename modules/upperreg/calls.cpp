#include "calls.h"

#include "carrier.h"

#include <jackfield/messages/call.h>

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::upperreg {
namespace param = messages::param;
namespace {

constexpr std::string_view kOwnServer = "upper/", kLineTarget = "line/";
constexpr std::size_t kSha256Digits = 64;

void show(const StoredCredentials& with, Message& message) {
  message.set(param::kAuthname, with.authname);
  if (!with.password.empty()) message.set(param::kPassword, with.password);
  if (!with.ha1.empty()) message.set(with.ha1.size() == kSha256Digits ? param::kHa1Sha256 : param::kHa1Md5, with.ha1).set(param::kHa1Realm, with.realm);
}

/// After a restart: no file of ours has them.
Task<bool> recall_and_show(std::shared_ptr<Core> core, Message& message, std::string name) {
  const auto kept = co_await Carrier::recall_credentials(core, name);
  if (kept != Carrier::Kept::here || core->stopped) co_return false;
  if (const auto* aor = core->aors->find(name)) show(aor->credentials, message);
  co_return false;
}

/// What the caller is at another server. A user of ours who has an account in a domain of Thru is known by his own name here; by which
/// connection he leaves says which, and else it has to be the only one.
const Aor* caller_there(const Core& core, const Message& message, std::string_view line) {
  const auto username = message.get(param::kUsername);
  if (const auto* aor = core.aors->find(username); aor || username.empty()) return aor && aor->at_a() ? aor : nullptr;
  const Aor* only = nullptr;
  bool several = false;
  core.aors->of_user(username, [&](const Aor& aor) {
    if (!aor.at_a() || aor.kind != Kind::stored || user_here(aor.id) != username || (!line.empty() && aor.id.line != line)) return;
    several = several || only;
    only = &aor;
  });
  return several ? nullptr : only;
}

}  // namespace

Verdict take_token(const Core& core, const Lines& lines, Message& message) {
  const auto line = message.get(param::kInLine);
  if (line.empty() || !lines.known(line)) return false;
  const auto* aor = core.aors->of_token(message.get(param::kCalled));
  if (!aor || !lines.same_server(aor->id.line, line)) return false;  // D21: what B gave A1 is nothing to A2
  if (!message.has(param::kCalledfull)) message.set(param::kCalledfull, message.get(param::kCalled));
  message.set(param::kCalled, aor->id.name);
  return false;
}

Verdict admit_token(const Core& core, const Lines& lines, Message& message) {
  const auto line = message.get(param::kInLine);
  if (line.empty() || !message.get(param::kUsername).empty() || !lines.known(line)) return false;
  const auto* aor = core.aors->of_token(message.get(param::kCalled));
  if (!aor || !aor->at_a() || !lines.same_server(aor->id.line, line)) return false;
  const auto right = aor->id.line;
  message.set(param::kInLine, right);
  message.set_retvalue("");
  return true;
}

Verdict identify(std::shared_ptr<Core> core, const Lines& lines, Message& message) {
  const auto callto = message.get(param::kCallto);
  const bool own_server = callto.starts_with(kOwnServer);
  if (!own_server && !callto.starts_with(kLineTarget)) return false;
  // Whoever came in by a line is no phone of ours, whatever he is called.
  const auto* aor = message.get(param::kInLine).empty() ? caller_there(*core, message, own_server ? std::string_view() : message.get(param::kLine)) : nullptr;
  if (own_server) {
    if (!aor) {
      message.set(param::kError, "forbidden").set(param::kReason, "the caller is registered at no other server");
      return false;
    }
    const auto target = fmt::format("{}{}", kLineTarget, callto.substr(kOwnServer.size()));
    message.set(param::kCallto, target).set(param::kLine, aor->id.line);
  }
  const auto line = message.get(param::kLine);
  if (!aor || line.empty() || !lines.known(line) || aor->id.line != line) return false;
  message.set(param::kCaller, aor->id.user).set(param::kDomain, aor->id.domain).set(param::kContactUser, aor->id.token);
  if (aor->kind == Kind::relayed) {
    message.set_flag(param::kPassChallenge, true);  // its own authorization is there already, where it sent one
    return false;
  }
  message.erase(param::kAuthorization);
  message.erase(param::kProxyAuthorization);
  if (!aor->credentials.known()) return recall_and_show(std::move(core), message, aor->id.name);
  show(aor->credentials, message);
  return false;
}

}  // namespace jackfield::upperreg
