// Where `sip/…` and `line/…` in call.execute lead: one of our own bindings, a URI, or a connection's servers. A host that is a name may
// have to be looked up first (RFC 3263); then the target is aimed at one place after the other.
#pragma once

#include <jackfield/channel.h>

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "call/itinerary.h"
#include "call/services.h"

namespace jackfield::sip::call {

/// The connection a request leaves by.
struct ByLine {
  std::string name;
  bool registers = false;
  bool upstream = false;  ///< From is the call's own
  line::Exit exit;  ///< without its servers: they are the itinerary

  /// Who calls, as the far side knows him: a registered connection's user, or on a trunk the caller.
  const std::string& from_user(const std::string& caller) const { return (registers && !exit.user.empty()) || caller.empty() ? exit.user : caller; }
};

struct Target {
  stack::FlowId flow;  ///< none: aim() finds it
  std::string request_uri;
  std::vector<std::string> route = {};
  bool is_binding = false;  ///< one of our own phones
  std::optional<Device> device = {};
  std::string username = {};  ///< of a phone of ours
  bool any_transport = false;  ///< nothing says which: `flow` is by UDP, and TCP would do
  std::optional<Itinerary> itinerary = {};  ///< nothing: `flow` is the only way
  std::string listener = {};                ///< the name of the one to leave by; empty: any
  std::optional<ByLine> line = {};

  /// Of From and To over a connection.
  std::string_view line_host() const { return itinerary && itinerary->place() ? std::string_view(itinerary->place()->host) : std::string_view(); }
};

/// `callto` without `sip/` or `line/`; line, host, port and oip_transport of the message fill what it does not say. The error is a
/// text of COMPAT's and a sentence for people.
struct NoTarget {
  std::string error, reason;
};
tl::expected<Target, NoTarget> find_target(const Core& core, const BindingTable& bindings, std::string_view callto, const BusMessage& message);

/// The contact of a switchboard that registered here stands for all of its numbers: the one that is called takes the place of its
/// user (SP-13).
void name_number(Target& target, std::string_view number);

/// The rest of `callto` where it is for us: `sip/…`, or `line/…` with a line.
std::optional<std::string_view> our_target(std::string_view callto);

/// Sets flow, Request-URI and route for where the itinerary stands, passing over what no listener of ours reaches. unknown: its place is
/// to be looked up first. A target without an itinerary is ready.
enum class Aim : std::uint8_t { ready, unknown, nowhere };
Aim aim(const Core& core, Target& target);
/// Looks up what aim() needs, until it is ready or there is nowhere to go. `core` may be gone afterwards when `alive` is; `target` is
/// the waiting one's.
Task<Aim> aim_at_last(const Core* core, std::weak_ptr<void> alive, Target* target);
NoTarget nowhere(const Target& target);

}  // namespace jackfield::sip::call
