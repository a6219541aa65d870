#include "call/session_join.h"

#include <jackfield/messages/call.h>

#include "call/description.h"
#include "call/incoming_leg.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

bool is_ready(const Leg& leg) { return leg.answered() && !leg.gone(); }

constexpr Duration kBusy{500};  // until one whose own exchange is under way is asked again

}  // namespace

void pair(Leg& one, Leg& other) {
  one.set_session_with(other.id());
  other.set_session_with(one.id());
  // One who picked up a call of somebody who has answered long ago (a transferred party, say) waits for that one's answer.
  for (Leg* leg : {&one, &other})
    if (leg->direction() == ChannelDirection::incoming && !leg->answered()) static_cast<IncomingLeg*>(leg)->take_over();
}

void join_sessions(Leg& leg) {
  if (leg.peer().empty() || leg.session_with() == leg.peer() || !is_ready(leg)) return;
  Leg* peer = leg.services().leg_of(leg.peer());
  if (!peer || !is_ready(*peer)) return;
  // What one of them offered in a 2xx while the other was busy is that one's to answer.
  for (const auto& [asked, by] : {std::pair{&leg, peer}, std::pair{peer, &leg}})
    if (const std::string offer = by->exchange().offer_due(); !offer.empty() && asked->may_offer() && join_answer(*asked, *by, offer)) return;
  if (!leg.may_offer() || !peer->may_offer()) return leg.start_timer(Leg::Timer::join, kBusy);
  pair(leg, *peer);
  leg.exchange().ask_for_offer();
}

bool join_answer(Leg& leg, Leg& by, std::string_view description) {
  if (!is_ready(leg)) return false;
  if (description.empty()) return true;  // its media are somebody else's
  BusMessage request = by.message(messages::kCallUpdate);
  request.set(param::kOperation, "request").set(param::kSdpRaw, description);
  if (!leg.update(request)) return false;
  pair(leg, by);
  by.allow_reoffer();
  return true;
}

bool offer_news(Leg& leg, BusMessage& notify) {
  const auto description = notify.get(param::kSdpRaw);
  // Only what answers a join: its peer's far end agreed to something else than was promised in its name.
  if (!is_ready(leg) || description.empty() || !leg.may_offer()) return false;
  if (leg.identity().was_last(with_streams_of(description, leg.sent_description()))) return false;
  if (!leg.take_reoffer()) return false;
  notify.set(param::kOperation, "request");
  return leg.update(notify);
}

}  // namespace jackfield::sip::call
