// The leg of a caller: a server INVITE transaction until it is answered, told by the bus what to answer. Its state machine is here;
// what follows the answer is Leg's. Owned by LegTable.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "call/leg.h"
#include "call/parameters.h"

namespace jackfield::sip::call {

class IncomingLeg final : public Leg {
 public:
  enum class State : std::uint8_t {
    routing,    ///< call.preroute, call.route and call.execute are asked
    waiting,    ///< the other leg is made; it rings or does not
    answering,  ///< call.answered came; a media module may still be asked
    answered,
    over,       ///< a final response left, or the caller gave up
  };

  /// `transaction` was begun for `invite`.
  IncomingLeg(Services& services, const Message& invite, const stack::FlowId& flow, stack::ServerTransactionId transaction,
              const Sender& sender, const Parties& parties);
  ~IncomingLeg() override;

  State state() const { return state_; }

  // From the router.
  void routed() { set_state(ChannelState::routed); }
  /// call.execute made the other leg; `message` has what it set.
  void accepted(const BusMessage& message);
  void rejected(const DisconnectReason& reason);

  // From the other leg.
  /// call.ringing and call.progress. False: not now.
  bool provisional(int code, const BusMessage& message);
  /// call.answered.
  bool answer(const BusMessage& message);

  void cancelled(stack::ServerTransactionId transaction, const Message& cancel) override;
  void server_failed(stack::ServerTransactionId transaction) override;

 private:
  /// One To tag before the answer (D14), and whose description went out under it.
  struct Early {
    std::string tag;
    SessionIdentity identity;
    std::string branch = {};  ///< of the other side; empty: none yet
    int last_code = 0;
  };

  void end_setup(const DisconnectReason& reason) override;
  void ended_early(const DisconnectReason& reason) override;
  void provisional_due() override;
  Early& early_of(std::string_view branch);
  void send_provisional(int code, const std::string& branch, std::optional<std::string> sdp);
  void send_answer(const std::string& branch, std::optional<std::string> sdp);
  void refuse(const DisconnectReason& reason, int unknown);

  State state_ = State::routing;
  stack::ServerTransactionId invite_;
  bool offerless_;
  std::vector<Early> early_;  // the first has the dialog's tag
};

}  // namespace jackfield::sip::call
