#include "registrar/contact.h"

#include <fmt/format.h>

namespace jackfield::sip::registrar {

Device device_of(const Contact& contact) {
  Device device{.instance = contact.address.parameters.get("+sip.instance").value_or("")};
  if (const auto reg_id = contact.address.parameters.get("reg-id"); reg_id && !device.instance.empty())
    device.reg_id = parse_number(*reg_id).value_or(0);
  return device;
}

std::string binding_key(const Contact& contact, const Device& device) {
  if (device.instance.empty()) return canonical(contact.address.uri);
  std::string key(device.instance);
  if (device.reg_id) key += fmt::format(";reg-id={}", device.reg_id);
  return key;
}

Reached reach_of(const Uri& contact, const stack::FlowId& source, const Via& via, bool foreign) {
  const auto named = net::Address::parse(contact.host, port_of(contact));
  if (foreign) return {.data = std::string(contact.text), .address = named.value_or(net::Address{})};

  Reached out{.address = source.remote};
  // A phone that sends from another port than it listens on, and says so truthfully, is no NAT (D5).
  if (!stack::is_reliable(source.kind) && named && named->same_host(source.remote)) {
    const auto sent_by = net::Address::parse(via.host);
    if (sent_by && sent_by->same_host(source.remote)) out.address.set_port(named->port());
  }
  // Over a connection the port that the contact names is the phone's own business.
  const bool same_host = named && named->same_host(out.address), same_port = named && named->port() == out.address.port();
  out.behind_nat = !(same_host && (same_port || stack::is_reliable(source.kind)));
  if (same_host && same_port) {
    out.data = contact.text;
    return out;
  }
  out.data.reserve(contact.text.size() + 24);
  out.data.append(contact.scheme == Uri::Scheme::sips ? "sips:" : "sip:");
  if (!contact.user.empty()) {
    out.data.append(contact.user);
    if (!contact.password.empty()) out.data.append(1, ':').append(contact.password);
    out.data.append(1, '@');
  }
  out.data.append(net::AddressText(out.address).text());
  if (!contact.parameters.empty()) out.data.append(1, ';').append(contact.parameters);
  if (!contact.headers.empty()) out.data.append(1, '?').append(contact.headers);
  return out;
}

}  // namespace jackfield::sip::registrar
