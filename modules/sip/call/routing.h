// The one way of a call from call.preroute over call.route and call.execute to another end, or to a refusal: of new calls, of those
// begun here, of transfers and of redirections. Each message may wait as long as its handlers do; when nobody wants the call any more
// the walk ends, and a late verdict is dropped. Engine thread only.
#pragma once

#include <memory>
#include <optional>

#include "call/services.h"

#include <jackfield/channel.h>

namespace jackfield::sip::call {

/// Whose call is routed. Lives as long as the walk, which may be longer than what it stands for: ids, never pointers.
class RoutedCall {
 public:
  virtual ~RoutedCall() = default;
  /// The channel that waits for another end; null when none does any more. Before everything below.
  virtual const Channel* waiting(const Services& services) const = 0;
  /// call.preroute is answered; `message` becomes the call.route.
  virtual void prerouted(Services& /*services*/, const BusMessage& /*message*/) {}
  /// call.route said where to.
  virtual void routed(Services& /*services*/) {}
  /// The question whether somebody takes the call on (a second route, an announcement) before a failed call.execute ends it.
  virtual std::optional<BusMessage> takeover(const Services& /*services*/) const { return std::nullopt; }
  /// There is another end, or somebody took the call on. `message` has what was set on the way.
  virtual void accepted(Services& services, const BusMessage& message) = 0;
  virtual void rejected(Services& services, const DisconnectReason& reason) = 0;
};

/// `message` is the call.preroute, call.route or call.execute to begin with, complete; it is renamed on its way, as handlers of Yate's
/// expect. `before` is dispatched first.
Task<> route(std::weak_ptr<Services> services, std::unique_ptr<RoutedCall> call, BusMessage message, std::optional<BusMessage> before = std::nullopt);

}  // namespace jackfield::sip::call
