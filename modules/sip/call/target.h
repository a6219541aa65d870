// Where `sip/…` in call.execute leads: one of our own bindings, or a URI with a numeric host (RFC 3263 comes with the resolver).
#pragma once

#include <jackfield/channel.h>

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "call/services.h"

namespace jackfield::sip::call {

struct Target {
  stack::FlowId flow;
  std::string request_uri;
  std::vector<std::string> route = {};
  bool is_binding = false;  ///< one of our own phones
  std::optional<Device> device = {};
  std::string username = {};  ///< of a phone of ours
  bool any_transport = false;  ///< nothing says which: `flow` is by UDP, and TCP would do
};

/// `callto` without `sip/`; host, port and oip_transport of the message fill what it does not say. The error is a text of COMPAT's
/// and a sentence for people.
struct NoTarget {
  std::string error, reason;
};
tl::expected<Target, NoTarget> find_target(const Core& core, const BindingTable& bindings, std::string_view callto, const BusMessage& message);

}  // namespace jackfield::sip::call
