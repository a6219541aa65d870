#include "registrar/by_hand.h"

#include <jackfield/messages/stored_bindings.h>
#include <jackfield/messages/user.h>

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "registrar/contact.h"
#include "registrar/store_messages.h"
#include "sip/uri.h"

namespace jackfield::sip::registrar {
namespace {

namespace param = messages::param;

constexpr std::size_t kLongestContact = 2048;

/// `<sip:…>` as in a header, or as it is.
std::string_view without_brackets(std::string_view contact) {
  return contact.starts_with('<') && contact.ends_with('>') ? contact.substr(1, contact.size() - 2) : contact;
}

/// The binding itself, as a store would give it back.
messages::StoredBinding stored_from(const jackfield::Message& asked) {
  messages::StoredBinding stored{.username = std::string(asked.get(param::kUsername)), .data = std::string(asked.get(param::kData)), .parameters = {}};
  for (const auto& [name, value] : asked.parameters())
    if (name != param::kUsername.name && name != param::kData.name && name != param::kExpires.name) stored.parameters.emplace_back(name, value);
  return stored;
}

bool refuse(jackfield::Message& command, std::string why) {
  command.set_retvalue(why.append("\r\n"));
  return false;
}

}  // namespace

/// The user that an address of record names in the stores: its user part where the domain is this server's, all of it for one of another server.
std::string_view ByHand::username_of(std::string_view aor) const {
  for (const std::string_view scheme : {"sip:", "sips:"})
    if (aor.starts_with(scheme)) aor.remove_prefix(scheme.size());
  const auto at = aor.find('@');
  if (at == std::string_view::npos || registrar_.table().has_user(aor)) return aor;
  return core_.settings->is_our_domain(aor.substr(at + 1)) ? aor.substr(0, at) : aor;
}

Verdict ByHand::add(jackfield::Message& command, std::string_view aor, std::string_view contact) {
  const auto username = username_of(aor);
  contact = without_brackets(contact);
  const auto uri = Uri::parse(contact.substr(0, kLongestContact));
  if (username.empty()) return refuse(command, fmt::format("`{}` names no user", aor));
  if (contact.size() > kLongestContact || !uri || !uri->is_sip() || uri->host.empty()) return refuse(command, fmt::format("`{}` is no SIP address; write sip:USER@HOST:PORT", contact));
  if (core_.transport.is_ours(uri->host, port_of(*uri))) return refuse(command, fmt::format("{} is this server: calls would go round in circles", contact));

  jackfield::Message asked(messages::kUserRegister.name, core_.engine.clock().wall());
  asked.set(param::kUsername, username);
  asked.set(param::kNumber, username);
  asked.set(param::kDriver, "sip");
  asked.set(param::kData, std::string(kTargetPrefix).append(uri->text));
  asked.set(param::kSipContact, uri->text);
  asked.set(param::kBinding, canonical(*uri));
  asked.set(param::kExpires, 0);  // never
  return added(command, std::move(asked));
}

Task<bool> ByHand::added(jackfield::Message& command, jackfield::Message asked) {
  auto* registrar = &registrar_;
  auto* core = &core_;
  const auto alive = registrar->alive();
  const bool handled = co_await settle(core->engine.bus().dispatch(asked));
  if (alive.expired()) co_return refuse(command, "the server is ending");
  const std::string username(asked.get(param::kUsername)), contact(asked.get(param::kSipContact));
  if (!handled) {
    const auto reason = asked.get(param::kReason, asked.get(param::kError));
    co_return refuse(command, reason.empty() ? fmt::format("nobody keeps registrations of {}: there is no such user", username)
                                             : fmt::format("it was not kept: {}", reason));
  }
  registrar->enter_by_hand(restore(*core, stored_from(asked)), asked.number(param::kMaxContacts, 1));
  core->log.info("event=registered user={} contact={} by=command", log_value(username), log_value(contact));
  command.set_retvalue(fmt::format("{} is registered at {} until that is removed\r\n", username, contact));
  co_return true;
}

Verdict ByHand::remove(jackfield::Message& command, std::string_view aor, std::string_view contact) {
  const auto username = username_of(aor);
  contact = without_brackets(contact);
  jackfield::Message asked(messages::kUserUnregister.name, core_.engine.clock().wall());
  asked.set(param::kUsername, username);
  asked.set(param::kDriver, "sip");
  asked.set(param::kReason, "command");
  std::size_t count = 0;
  std::string key;
  registrar_.table().each_of(username, [&](BindingId, const Binding& binding) {
    if (!contact.empty() && binding.contact() != contact && binding.data() != contact) return;
    ++count;
    if (!contact.empty()) key = binding.key();
  });
  if (count == 0) return refuse(command, contact.empty() ? fmt::format("{} has no binding", username) : fmt::format("{} has no binding {}", username, contact));
  if (!contact.empty()) asked.set(param::kBinding, key);
  return removed(command, std::move(asked), count);
}

// The registrar hears it on the bus, as it does when a script says so.
Task<bool> ByHand::removed(jackfield::Message& command, jackfield::Message asked, std::size_t count) {
  auto* core = &core_;
  const bool handled = co_await settle(core->engine.bus().dispatch(asked));
  const auto username = asked.get(param::kUsername);
  if (!handled && asked.number(param::kCode) >= 500) co_return refuse(command, fmt::format("it is still kept: {}", asked.get(param::kReason, asked.get(param::kError))));
  command.set_retvalue(fmt::format("{}: {} binding{} removed\r\n", username, count, count == 1 ? "" : "s"));
  co_return true;
}

}  // namespace jackfield::sip::registrar
