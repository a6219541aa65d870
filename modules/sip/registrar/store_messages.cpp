#include "registrar/store_messages.h"

#include <jackfield/messages/user.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "answer.h"
#include "registrar/contact.h"
#include "sip/uri.h"

namespace jackfield::sip::registrar {

namespace {

namespace param = messages::param;

/// Said of the user to us, not of the binding to the store; `max_contacts` is the store's to say (D8).
constexpr std::array<std::string_view, 6> kForUs{param::kMaxContacts.name, param::kForeignContacts.name, param::kAlternatives.name,
                                                 "check_to", "check_from", param::kNumber.name};

std::string_view value_of(const messages::StoredBinding& stored, std::string_view name) {
  for (const auto& [key, value] : stored.parameters)
    if (key == name) return value;
  return {};
}

std::uint32_t number_of(const messages::StoredBinding& stored, std::string_view name) {
  return parse_number(value_of(stored, name)).value_or(0);
}

std::string q_text(std::uint16_t thousandths) { return fmt::format("{}.{:03}", thousandths / 1000, thousandths % 1000); }

std::uint16_t q_from(std::string_view text) {
  double q = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), q);
  if (text.empty() || error != std::errc{} || q < 0 || q > 1) return BindingFacts::kNoQ;
  return static_cast<std::uint16_t>(q * 1000 + 0.5);
}

/// A flow over datagrams to where the binding is reached, by the listener it came in by if that is still open.
stack::FlowId flow_to(const Core& core, const net::Address& remote, std::string_view listener) {
  std::optional<std::uint16_t> prefer;
  for (std::size_t i = 0; i < core.listeners.size(); ++i) {
    const auto& options = core.listeners[i].options;
    if (options.name == listener && options.kind == stack::TransportKind::udp && options.bind.is_v6() == remote.is_v6())
      prefer = static_cast<std::uint16_t>(i);
  }
  return core.transport.flow_to(stack::TransportKind::udp, remote, prefer).value_or(stack::FlowId{});
}

}  // namespace

jackfield::Message register_message(const Core& core, const Binding& binding) {
  jackfield::Message m(messages::kUserRegister.name, core.engine.clock().wall());
  const auto& facts = binding.facts();
  m.add(param::kUsername, binding.username());
  m.add(param::kDriver, "sip");
  std::string data(kTargetPrefix);
  data.append(binding.data());
  m.add(param::kData, data);
  m.add(param::kExpires, static_cast<long long>(binding.remaining(core.engine.clock().now())));
  m.add(param::kSipCallid, binding.call_id());
  m.add(param::kSipCseq, static_cast<long long>(facts.cseq));
  m.add(param::kSipContact, binding.contact());
  m.add(param::kBinding, binding.key());
  if (!binding.instance().empty()) m.add(param::kSipInstance, binding.instance());
  if (facts.reg_id) m.add(param::kRegId, static_cast<long long>(facts.reg_id));
  if (!binding.path().empty()) m.add(param::kSipPath, binding.path());
  if (facts.q != BindingFacts::kNoQ) m.add(param::kQ, q_text(facts.q));
  if (facts.flow) {
    set_source(m, core, facts.flow);
    if (facts.behind_nat) m.add(param::kRegNatAddr, net::AddressText(facts.flow.remote).text());
  }
  return m;
}

void add_request(jackfield::Message& m, const Message& request, const Sender& sender) {
  m.add(param::kNumber, unescape(request.to()->uri.user));
  m.add(param::kSipUri, request.request_uri_text());
  m.add(param::kSipTo, request.to()->uri.text);
  m.add(param::kDomain, request.to()->uri.host);
  if (const auto device = request.value(HeaderId::user_agent); !device.empty()) m.add(param::kDevice, device);
  for (const auto& [name, value] : sender.parameters)
    if (std::find(kForUs.begin(), kForUs.end(), name) == kForUs.end() && !m.has(name)) m.add(name, value);
}

jackfield::Message unregister_message(const Core& core, std::string_view username, std::string_view key, const Binding* binding,
                                      std::string_view reason) {
  jackfield::Message m(messages::kUserUnregister.name, core.engine.clock().wall());
  m.add(param::kUsername, username);
  m.add(param::kDriver, "sip");
  m.add(param::kExpires, 0);
  if (!key.empty()) m.add(param::kBinding, key);
  if (binding) {
    std::string data(kTargetPrefix);
    m.add(param::kData, data.append(binding->data()));
    m.add(param::kSipCallid, binding->call_id());
    if (binding->facts().flow) set_source(m, core, binding->facts().flow);
  }
  if (!reason.empty()) m.add(param::kReason, reason);
  return m;
}

namespace {

/// `with_flow`: by which socket it is reached.
Binding::Ptr make_binding(const Core& core, const messages::StoredBinding& stored, bool with_flow) {
  std::string_view data = stored.data;
  if (!data.starts_with(kTargetPrefix)) return nullptr;
  data.remove_prefix(kTargetPrefix.size());
  const auto uri = Uri::parse(data);
  if (!uri || stored.username.empty()) return nullptr;

  BindingFacts facts{.refreshed = core.engine.clock().now(), .cseq = number_of(stored, param::kSipCseq), .reg_id = number_of(stored, param::kRegId),
                     .q = q_from(value_of(stored, param::kQ)), .behind_nat = !value_of(stored, param::kRegNatAddr).empty()};
  if (stored.expires != WallTime{}) {
    const auto left = std::chrono::duration_cast<Duration>(stored.expires - core.engine.clock().wall());
    if (left <= Duration::zero()) return nullptr;
    facts.expires = core.engine.clock().now() + left;
  }
  const auto path = value_of(stored, param::kSipPath);
  // What a person entered came by no transport; its URI may name one that has no flow until it is called.
  const bool by_uri = value_of(stored, param::kIpTransport).empty() && uri->parameter("transport").value_or("udp") != "udp";
  // Behind an edge the data names the phone and the packets come from the edge.
  const auto remote = !with_flow || by_uri ? std::nullopt
                      : path.empty()
                          ? net::Address::parse(uri->host, port_of(*uri))
                          : net::Address::parse(value_of(stored, param::kIpHost), static_cast<std::uint16_t>(number_of(stored, param::kIpPort)));
  if (remote) facts.flow = flow_to(core, *remote, value_of(stored, param::kListener));

  std::string_view contact = value_of(stored, param::kSipContact);
  if (!Uri::parse(contact)) contact = data;
  const std::string_view kept_key = value_of(stored, param::kBinding);
  const std::string key = kept_key.empty() ? canonical(*Uri::parse(contact)) : std::string(kept_key);
  const BindingText text{.username = stored.username, .key = key, .contact = contact, .data = data, .call_id = value_of(stored, param::kSipCallid),
                         .instance = value_of(stored, param::kSipInstance), .path = path};
  if (text.size() > Binding::kMaxText) return nullptr;
  return Binding::make(text, facts);
}

}  // namespace

Binding::Ptr read_stored(const Core& core, const messages::StoredBinding& stored) { return make_binding(core, stored, false); }

bool is_elsewhere(const Core& core, const messages::StoredBinding& stored) {
  const auto node = value_of(stored, param::kNodename);
  return !node.empty() && node != core.engine.run_parameter("nodename").value_or("");
}

Binding::Ptr restore(const Core& core, const messages::StoredBinding& stored) {
  const auto transport = value_of(stored, param::kIpTransport);
  if (value_of(stored, param::kConnectionReliable) == "true" || (!transport.empty() && transport != "UDP")) return nullptr;
  return is_elsewhere(core, stored) ? nullptr : make_binding(core, stored, true);
}

}  // namespace jackfield::sip::registrar
