// The leg of a caller: a server INVITE transaction until it is answered, told by the bus what to answer. Its state machine is here;
// what follows the answer is Leg's. Owned by LegTable.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "call/leg.h"
#include "call/own_headers.h"
#include "call/parameters.h"
#include "call/reliable_provisional.h"

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
  /// It takes another's place in an answered call: that one's far end answers its INVITE (RFC 3891).
  void take_over() { takes_over_ = true; }
  bool takes_over() const { return takes_over_; }
  /// What the caller offered, while his INVITE is open. Empty: nothing.
  std::string_view offer() const;

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

  Offers offers(const Message& request) const override;
  /// Of the To tag that offers may be made under, before the answer.
  SessionIdentity& identity() override;

  void cancelled(stack::ServerTransactionId transaction, const Message& cancel) override;
  void server_failed(stack::ServerTransactionId transaction) override;

 private:
  /// One To tag before the answer (D14), and whose description went out under it.
  struct Early {
    std::string tag;
    SessionIdentity identity;
    std::string branch = {};  ///< of the other side; empty: none yet
    int last_code = 0;
    std::uint32_t remote_cseq = 0;  ///< each dialog has its own
    std::uint32_t rseq = 0;         ///< of the last reliable response; 0: none
    bool complete = false;          ///< the caller has acknowledged our description under this tag (RFC 3262 §5)
    bool held = false;              ///< which was an offer of our own
  };
  /// call.answered that waits for a PRACK.
  struct Answer {
    std::string branch;
    std::optional<std::string> sdp;
    OwnHeaders headers;
  };

  void end_setup(const DisconnectReason& reason) override;
  void ended_early(const DisconnectReason& reason) override;
  void provisional_due() override;
  void reliable_due() override;
  void acknowledged_reliably(const Request& request) override;
  bool take_cseq(const Message& request) override;
  bool may_offer() const override;
  Early* find_early(std::string_view tag);
  const Early* find_early(std::string_view tag) const { return const_cast<IncomingLeg*>(this)->find_early(tag); }
  /// True while offers may pass before the answer, which they do in the dialog of our own tag alone.
  bool is_complete_early() const;
  Early& early_of(std::string_view branch);
  void forget_early();
  bool is_reliable(std::string_view description) const;
  /// He wants provisional responses reliably and made no offer: the first has to bring one (RFC 3261 §13.2.1), and nobody has made it
  /// yet. A stream of our own that stands still is offered instead; once he has acknowledged the answer he is offered what the other
  /// side did in its own.
  bool needs_offer() const { return offerless_ && far_end_.reliable_only; }
  void send_early(Early& early, int code, const std::string& body, const ReliableProvisional::Headers& headers = {});
  void repeat_reliably();
  void send_provisional(int code, const std::string& branch, std::optional<std::string> sdp, const OwnHeaders& headers);
  void send_answer(const std::string& branch, std::optional<std::string> sdp, const OwnHeaders& headers);
  void refuse(const DisconnectReason& reason, int unknown);

  State state_ = State::routing;
  bool takes_over_ = false;
  stack::ServerTransactionId invite_;
  std::uint32_t invite_cseq_;
  bool offerless_;
  bool prack_;
  std::vector<Early> early_;  // the first has the dialog's tag
  ReliableProvisional reliably_;
  std::optional<Answer> answer_;
};

}  // namespace jackfield::sip::call
