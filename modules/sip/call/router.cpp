#include "call/router.h"

#include <jackfield/messages/chan.h>

#include <utility>

#include "call/incoming_leg.h"
#include "call/outgoing_leg.h"
#include "call/routing.h"

namespace jackfield::sip::call {

namespace {

/// A leg that waits for its other one.
template <class Kind>
class RoutedLeg : public RoutedCall {
 public:
  explicit RoutedLeg(LegNumber number) : number_(number) {}
  const Channel* waiting(const Services& services) const override {
    const Leg* leg = services.legs.find(number_);
    return leg && !leg->gone() ? leg : nullptr;
  }
  std::optional<BusMessage> takeover(const Services& services) const override {
    return services.legs.find(number_)->message(messages::kChanDisconnected);
  }

 protected:
  // Of that kind since it was made, and a number is never given twice.
  Kind& leg(const Services& services) const { return static_cast<Kind&>(*services.legs.find(number_)); }

 private:
  LegNumber number_;
};

class Caller final : public RoutedLeg<IncomingLeg> {
 public:
  using RoutedLeg::RoutedLeg;
  void prerouted(Services& services, const BusMessage& message) override {
    if (const auto billid = message.get(messages::param::kBillid); !billid.empty()) leg(services).set_billid(std::string(billid));
  }
  void routed(Services& services) override { leg(services).routed(); }
  void accepted(Services& services, const BusMessage& message) override { leg(services).accepted(message); }
  void rejected(Services& services, const DisconnectReason& reason) override { leg(services).rejected(reason); }
};

class FirstParty final : public RoutedLeg<OutgoingLeg> {
 public:
  using RoutedLeg::RoutedLeg;
  void accepted(Services& services, const BusMessage&) override { leg(services).went_on(); }
  void rejected(Services& services, const DisconnectReason& reason) override { leg(services).drop(reason); }
};

}  // namespace

Task<> route_call(std::weak_ptr<Services> services, LegNumber leg, BusMessage startup, BusMessage message) {
  return route(std::move(services), std::make_unique<Caller>(leg), std::move(message), std::move(startup));
}

Task<> route_onward(std::weak_ptr<Services> services, LegNumber leg, BusMessage message) {
  return route(std::move(services), std::make_unique<FirstParty>(leg), std::move(message));
}

}  // namespace jackfield::sip::call
