#include "questions/route.h"

#include <jackfield/message_text.h>
#include <jackfield/messages/call.h>
#include <jackfield/messages/user.h>

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::questions {
namespace {

namespace param = messages::param;

constexpr std::string_view kRefused = "-", kAuthfail = "authfail_";

/// What a route answers that is none: COMPAT §13.
bool is_refusal(const Message& message) { return message.retvalue() == kRefused || message.retvalue() == "error"; }

void set_address(Message& message, std::string_view address) {
  if (address.empty()) return;
  const auto bare = address.substr(address.starts_with('[') ? 1 : 0);
  const auto colon = address.rfind(':');
  const bool v6 = std::ranges::count(address, ':') > 1;
  const bool port = colon != std::string_view::npos && (!v6 || address.starts_with('['));
  message.set(param::kAddress, address);
  message.set(param::kIpHost, v6 ? bare.substr(0, std::min(bare.find(']'), bare.size())) : address.substr(0, colon));
  if (port) message.set(param::kIpPort, address.substr(colon + 1));
}

Message make(std::string_view name, const Engine& engine, const RouteQuestion& question) {
  Message message(name, question.time.value_or(engine.clock().wall()));
  set_address(message, question.address);
  if (!question.caller.empty()) message.set(param::kCaller, question.caller);
  message.set(param::kCalled, question.called);
  return message;
}

std::string_view username_of(const RouteQuestion& question) {
  const auto found = std::ranges::find(question.parameters, std::string(param::kUsername.name), &std::pair<std::string, std::string>::first);
  return found == question.parameters.end() ? std::string_view() : std::string_view(found->second);
}

/// What the account says of its calls: everything that was not asked and is no secret.
void take_over(Message& call, const Message& account, std::size_t asked) {
  const auto parameters = account.parameters();
  for (const auto& [name, value] : parameters.subspan(std::min(asked, parameters.size()))) {
    if (name == param::kHandlers.name || name == param::kDryRun.name || name == param::kUsername.name || name.starts_with(kAuthfail) || is_secret(name)) continue;
    call.set(name, value);
  }
}

std::string refusal(const Message& message) {
  std::string out = "refused:";
  for (const ParameterKey name : {ParameterKey(param::kError), ParameterKey(param::kReason), ParameterKey(param::kCauseSip), ParameterKey(param::kReasonSip)})
    if (message.has(name)) out += fmt::format(" {}={}", name.text(), quoted_word(message.get(name)));
  return out + "\n";
}

/// The targets of a fork, in the order in which they ring.
std::string targets(const Message& message) {
  std::string out = fmt::format("goes to: {}\n", message.retvalue());
  if (message.retvalue() != "fork") return out;
  for (int number = 1; message.has(fmt::format("callto.{}", number)); ++number)
    out += fmt::format("  callto.{}: {}\n", number, message.get(fmt::format("callto.{}", number)));
  return out;
}

}  // namespace

Task<std::string> rehearse_route(Engine& engine, RouteQuestion question) {
  std::string out;
  DispatchRecord record;
  Message call = make(messages::kCallPreroute.name, engine, question);
  call.set(param::kDirection, "incoming").set(param::kStatus, "incoming");

  if (const auto username = username_of(question); !username.empty()) {
    Message account = make(messages::kUserAuth.name, engine, question);
    account.set(param::kProtocol, "sip").set(param::kUsername, username).set_flag(param::kNewcall, true).set_flag(param::kDryRun, true);
    const std::size_t asked = account.parameters().size();
    auto asking = engine.bus().rehearse(account, record);
    const bool known = co_await std::move(asking);
    out += record.text();
    if (account.retvalue() == kRefused) co_return out + refusal(account);
    if (known) take_over(call, account, asked);
  }
  for (const auto& [name, value] : question.parameters) call.set(name, value);

  auto prerouting = engine.bus().rehearse(call, record);
  (void)co_await std::move(prerouting);
  out += record.text();
  if (is_refusal(call)) co_return out + refusal(call);

  // The same message asked anew under another name, as far as handlers can tell.
  call.rename(messages::kCallRoute.name);
  call.set_retvalue({});
  call.erase(param::kHandlers);
  auto routing = engine.bus().rehearse(call, record);
  const bool handled = co_await std::move(routing);
  out += record.text();
  if (is_refusal(call) || !handled || call.retvalue().empty()) {
    if (!is_refusal(call) && !call.has(param::kError)) call.set(param::kError, "noroute");
    co_return out + refusal(call);
  }
  co_return out + targets(call);
}

}  // namespace jackfield::questions
