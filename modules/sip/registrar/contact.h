// What a Contact of a REGISTER becomes: the key of its binding (D9) and the place where it is reached (D5). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/address.h"
#include "sip/headers.h"
#include "stack/flow.h"

namespace jackfield::sip::registrar {

/// The device, as `+sip.instance` and `reg-id` name it; empty instance: known by its contact alone.
struct Device {
  std::string_view instance;
  std::uint32_t reg_id = 0;
};
Device device_of(const Contact& contact);

/// Instance and reg-id, else the canonical contact.
std::string binding_key(const Contact& contact, const Device& device);

struct Reached {
  std::string data;         ///< the contact's URI with the host and port the packets go to
  net::Address address;     ///< empty where a foreign contact names a host that is no address
  bool behind_nat = false;  ///< the contact named another place
};
/// `via` is the request's top Via. With `foreign` the contact is taken at its word.
Reached reach_of(const Uri& contact, const stack::FlowId& source, const Via& via, bool foreign);

/// The port a URI without one means.
constexpr std::uint16_t port_of(const Uri& uri) { return uri.port ? uri.port : uri.scheme == Uri::Scheme::sips ? 5061 : 5060; }

}  // namespace jackfield::sip::registrar
