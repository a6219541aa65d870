#include "core.h"

#include <jackfield/messages/user.h>

#include <algorithm>

namespace jackfield::upperreg {
namespace param = messages::param;
namespace {

constexpr std::size_t kMostWaiting = 16;
constexpr Duration kLongestWait = std::chrono::seconds(32);  // timer F: by then the phone has given up

}  // namespace

void Core::plan(const std::string& name, std::optional<WallTime> at) {
  if (const auto planned = agenda_of.find(name); planned != agenda_of.end()) {
    agenda.erase({planned->second, name});
    agenda_of.erase(planned);
  }
  if (!at) return;
  agenda.emplace(*at, name);
  agenda_of.emplace(name, *at);
  if (agenda_changed) agenda_changed();
}

void Core::plan(const Aor& aor) { plan(aor.id.name, aor.due(now(), settings.retry_interval, jitter())); }

std::map<std::string, std::chrono::seconds, std::less<>> Core::phones(const Aor& aor) const {
  std::map<std::string, std::chrono::seconds, std::less<>> out;
  std::vector<bindings::Binding*> kept;
  store->bindings().of_user(aor.id.name, kept);
  const auto at = now();
  for (const auto* binding : kept) {
    const WallTime until{std::chrono::milliseconds(binding->expires_ms())};
    if (binding->expires_ms() != 0 && until <= at) continue;
    out.emplace(binding->packed().key(), binding->expires_ms() == 0 ? std::chrono::hours(24) : std::chrono::ceil<std::chrono::seconds>(until - at));
  }
  for (const auto& [key, promise] : aor.promises) {
    if (promise.until <= at) continue;
    if (!promise.stays) out.erase(key);
    else if (promise.lasts > at) out[key] = std::chrono::ceil<std::chrono::seconds>(promise.lasts - at);
  }
  return out;
}

void Core::end_bindings(const std::string& username, std::string_view key, std::string_view reason) {
  Message message(messages::kUserUnregister.name, now());
  message.add(param::kUsername, username).add(param::kReason, reason);
  if (!key.empty()) message.add(param::kBinding, key);
  engine.bus().enqueue(std::move(message));
}

void Core::apply(Aor& aor, AorEvent event, std::string_view reason, std::chrono::seconds seconds) {
  const auto before = aor.state();
  const bool ends = aor.apply(event, now(), seconds);
  if (ends) {
    aor.promises.clear();
    if (store->bindings().has_user(aor.id.name)) {
      log.warning("event=bindings_ended aor={} line={} reason={}", log_value(aor.id.name), log_value(aor.id.line), log_value(reason));
      end_bindings(aor.id.name, {}, reason);
    }
  }
  if (before != aor.state() || event == AorEvent::granted) aors->save(aor);
  plan(aor);
}

bool same_flow(const bindings::PackedBinding& binding, const Message& request) {
  constexpr const messages::ParameterName* kFlow[] = {&param::kIpHost, &param::kIpPort, &param::kIpTransport, &param::kConnectionId};
  return !request.get(param::kIpHost).empty() &&
         std::ranges::all_of(kFlow, [&](const auto* name) { return binding.parameter(name->name).value_or("") == request.get(*name); });
}

Task<bool> enter(std::shared_ptr<Core> core, std::string name) {
  auto* aor = core->aors->find(name);
  if (!aor) co_return false;
  if (!aor->busy) {
    aor->busy = true;
    co_return true;
  }
  auto& queue = core->queues[name];
  if (queue.size() >= kMostWaiting) co_return false;
  auto turn = core->waiting->open<bool>(kLongestWait);
  queue.push_back(turn.id());
  const auto come = co_await turn.wait();
  if (core->stopped) co_return false;
  if (!come) {  // late: whoever leaves passes over it
    if (const auto line = core->queues.find(name); line != core->queues.end()) std::erase(line->second, turn.id());
    co_return false;
  }
  co_return true;
}

void leave(Core& core, const std::string& name) {
  auto* aor = core.aors->find(name);
  if (!aor) return;
  const auto line = core.queues.find(name);
  if (line != core.queues.end()) {
    while (!line->second.empty()) {
      const auto next = line->second.front();
      line->second.pop_front();
      if (core.waiting->complete<bool>(next, true)) {
        if (line->second.empty()) core.queues.erase(line);
        return;
      }
    }
    core.queues.erase(line);
  }
  aor->busy = false;
  if (aor->at_a() && core.phones(*aor).empty()) core.apply(*aor, AorEvent::emptied, "the last phone is gone");  // meanwhile
  if (aor->at_a() && !core.agenda_of.contains(name)) core.plan(*aor);  // its time came meanwhile
}

}  // namespace jackfield::upperreg
