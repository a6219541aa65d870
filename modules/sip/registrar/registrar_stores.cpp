// The registrar and what is on the bus beside REGISTERs: what stores keep and give back, and bindings that somebody else ends or asks for.
#include <jackfield/messages/user.h>

#include <charconv>
#include <utility>

#include "answer.h"
#include "guard/guard.h"
#include "registrar/registrar.h"
#include "registrar/store_messages.h"

namespace jackfield::sip::registrar {

namespace {

namespace param = messages::param;

bool is_data_of(const Binding& binding, std::string_view data) {
  return data.starts_with(kTargetPrefix) && data.substr(kTargetPrefix.size()) == binding.data();
}

/// The answer to user.bindings has one that has not expired.
bool holds_binding(const jackfield::Message& answer, WallTime now) {
  bool found = false;
  if (const auto* stored = answer.payload<messages::StoredBindings>())
    stored->each([&](const messages::StoredBinding& binding) { found = found || binding.expires == WallTime{} || binding.expires > now; });
  return found;
}

}  // namespace

// Somebody else ended bindings on the bus (an operator, a script): the stores hear it as we do, and nothing is told again.
void Registrar::unregistered(const jackfield::Message& message) {
  if (const auto driver = message.get(param::kDriver); !driver.empty() && driver != "sip") return;
  const auto username = message.get(param::kUsername), key = message.get(param::kBinding), data = message.get(param::kData);
  std::vector<BindingId> ids;
  if (!username.empty()) {
    table_.each_of(username, [&](BindingId id, const Binding& binding) {
      if (!key.empty() ? binding.key() == key : data.empty() || is_data_of(binding, data)) ids.push_back(id);
    });
  } else if (const auto connection = message.get(param::kConnectionId); connection.find('-') != std::string_view::npos) {
    const auto digits = connection.substr(connection.find('-') + 1);
    std::uint32_t number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    ids = table_.on_connection(number);
    // A listener may have a name that looks like that of a connection.
    if (!ids.empty() && connection_id(core_, table_.find(ids.front())->facts().flow) != connection) ids.clear();
  }
  for (auto id = ids.rbegin(); id != ids.rend(); ++id)
    if (const auto binding = table_.take(*id)) release(*binding);
  if (!ids.empty()) core_.log.info("event=unregistered user={} bindings={} by=bus", log_value(username), ids.size());
}

// The table has whoever registered here. Stores know those who did before it was filled, and shared ones those of other servers.
Verdict Registrar::is_registered(const jackfield::Message& message) const {
  const auto username = message.get(param::kUsername);
  if (username.empty()) return false;
  bool here = false;
  const auto now = core_.engine.clock().now();
  table_.each_of(username, [&](BindingId, const Binding& binding) { here = here || binding.remaining(now) > 0; });
  if (here) return true;
  if ((table_.has_user(username) && !store_is_shared_) || !core_.engine.bus().has_handlers(messages::kUserBindings.name)) return false;
  auto question = std::make_unique<jackfield::Message>(messages::kUserBindings.name, core_.engine.clock().wall());
  question->set_broadcast(true);  // of several stores, any may have him
  question->set(param::kUsername, username);
  if (message.flag(param::kDryRun)) return rehearse_stores(core_.engine.bus(), std::move(question), core_.engine.clock());
  auto verdict = core_.engine.bus().dispatch(*question);
  if (verdict.immediate()) return holds_binding(*question, core_.engine.clock().wall());
  return ask_stores(std::move(question), std::move(verdict), core_.engine.clock());
}

Task<bool> Registrar::ask_stores(std::unique_ptr<jackfield::Message> question, Verdict verdict, const Clock& clock) {
  co_await settle(std::move(verdict));
  co_return holds_binding(*question, clock.wall());
}

Task<bool> Registrar::rehearse_stores(Bus& bus, std::unique_ptr<jackfield::Message> question, const Clock& clock) {
  DispatchRecord record;
  auto asking = bus.rehearse(*question, record);
  co_await std::move(asking);
  co_return holds_binding(*question, clock.wall());
}

void Registrar::note_shared() {
  if (std::exchange(store_is_shared_, true)) return;
  core_.log.info("event=shared-store reason=\"the store holds bindings of several servers; it says how many each user has\"");
}

Registrar::Restored Registrar::restore_all(const messages::StoredBindings& stored, bool shared) {
  Restored restored;
  stored.each([&](const messages::StoredBinding& each) {
    ++restored.seen;
    auto binding = restore(core_, each);
    // What phones said since is newer than what the store remembers.
    if (!binding || table_.find(binding->username(), binding->key())) return;
    if (core_.guard && binding->facts().flow) core_.guard->proved(binding->facts().flow);
    binding->set_shared(shared);
    table_.put(std::move(binding));
    ++restored.entered;
  });
  if (restored.entered) watch_clock();
  return restored;
}

void Registrar::recall_all() {
  auto message = std::make_shared<jackfield::Message>(messages::kUserBindings.name, core_.engine.clock().wall());
  message->set_broadcast(true);
  message->set(param::kRealm, core_.settings->realm);
  const auto take = [this](const jackfield::Message& answer) {
    const auto* stored = answer.payload<messages::StoredBindings>();
    if (!stored) return;
    const bool shared = answer.flag(param::kShared);
    if (shared) note_shared();
    const auto restored = restore_all(*stored, shared);
    core_.log.info("event=bindings-restored count={} of={}", restored.entered, restored.seen);
  };
  auto verdict = core_.engine.bus().dispatch(*message);
  if (verdict.immediate()) return take(*message);
  core_.engine.spawn("sip.recall", wait_for_recall(alive_, message, std::move(verdict), take));
}

Task<> Registrar::wait_for_recall(std::weak_ptr<void> alive, std::shared_ptr<jackfield::Message> message, Verdict verdict,
                                  std::function<void(const jackfield::Message&)> take) {
  co_await settle(std::move(verdict));
  if (!alive.expired()) take(*message);
}

}  // namespace jackfield::sip::registrar
