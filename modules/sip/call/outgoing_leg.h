// The leg of a called phone: a client INVITE transaction until it answers. Its state machine is here; what follows the answer is
// Leg's. Made by call.execute. Owned by LegTable.
//
// One that call.execute made without a caller is the first party of a call begun here. Once it has answered it goes on as a caller
// itself (RFC 3725 §4.3, flow III): its first offer is answered with streams that stand still, the other party is invited without a
// description, and that one's offer reaches the first in a re-INVITE, whose answer completes both.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "call/early_dialogs.h"
#include "call/leg.h"
#include "call/onward.h"
#include "call/own_headers.h"
#include "call/target.h"

namespace jackfield::sip::call {

class OutgoingLeg final : public Leg {
 public:
  enum class State : std::uint8_t {
    preparing,   ///< a media module is asked for the offer
    moving,      ///< where the next server is, is being found out
    calling,     ///< the INVITE left
    cancelling,  ///< given up; its final response is to come (RFC 3261 §9.1)
    answered,
    over,
  };

  /// `target` is ready.
  OutgoingLeg(Services& services, Target target, const BusMessage& execute);
  ~OutgoingLeg() override;

  State state() const { return state_; }
  /// Sends the INVITE, at once unless a media module waits.
  void call(const BusMessage& execute);

  /// Before call(): the leg has no caller. Once it has answered, its target or number is called in its name.
  void go_on_to(const BusMessage& execute);
  /// What go_on_to() gave it, for somebody in its place.
  std::unique_ptr<Onward> release_onward() { return std::move(onward_); }
  /// It has answered in the place of another, and goes on to what that one was to.
  void go_on_instead(std::unique_ptr<Onward> onward);
  /// The router has found the other party, or somebody who took the call.
  void went_on() { stop_timer(Timer::maxcall); }
  /// call.answered of the other party. False: this leg did not go on to anybody, or cannot take the answer now.
  bool joined(const BusMessage& message);

  bool is_far_tag(std::string_view tag) const override { return Leg::is_far_tag(tag) || (!answered() && !tag.empty() && tag == early_tag_); }
  void response(stack::ClientTransactionId transaction, const Message& response, const stack::FlowId& flow) override;
  void client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure) override;
  bool is_from_peer(const Message& request) const override;
  Offers offers(const Message& request) const override;
  void refresh_target(const Message& message) override;

 private:
  /// What the far side is told of the parties, in each attempt the same.
  struct Names {
    std::string from_user, from_display, to_user, to_display, domain;
    unsigned max_forwards = 70;
  };

  // Attempts (D18, RFC 3263 §4.3).
  /// A dialog of its own for each place where the call is tried.
  void begin_dialog();
  bool send_attempt();
  /// Leaves the place that failed for the next one; false: there is none, or somebody was reached.
  bool move_on(line::Failure failure, DisconnectReason otherwise);
  void next_attempt();
  void looked_up(const stack::Resolved& resolved);
  void give_up();
  void attempt_due() override;
  /// The connection is told that its server is there.
  void heard(const Message& response);
  /// A 401 or 407 that was answered.
  bool proved_first(const Message& response);
  /// Who proves what to the far side: the connection, the call itself, or the caller with what he sent along.
  void take_credentials(const BusMessage& execute);

  void send_invite(std::optional<std::string> sdp);
  void provisional(const Message& response);
  void go_on();
  /// Who the far end is to somebody it calls.
  std::string own_number() const;
  void success(const Message& response);
  /// Requests of the dialog go where its route set or Contact says (RFC 3261 §12.2.1.1), other than a phone's.
  void follow_route();
  void refused(const Message& response);
  DisconnectReason refusal_of(const Message& response) const;
  void end_setup(const DisconnectReason& reason) override;
  void ended_early(const DisconnectReason&) override {}
  bool setup_open() const override { return state_ == State::cancelling; }
  bool take_cseq(const Message& request) override;
  std::optional<stack::FlowId> flow_for(std::size_t size) override;
  void connecting_due() override;
  /// Another way for an INVITE that fits no datagram: the same machine by TCP, else another one of the name's that DNS gives for TCP.
  std::optional<stack::FlowId> wide_way();
  /// By UDP, after a connection that did not open. False: there is no such way, or no more.
  bool fall_back();
  bool may_offer() const override;
  stack::Dialog& request_dialog() override;
  bool send_first(std::string_view body);
  /// The early dialog that a message of the far end belongs to, while there is no other; null: none.
  EarlyDialog* early_of(const Message& message) const;
  /// False: a reliable response that is not to be seen again.
  bool take_reliable(EarlyDialog& early, const Message& response);
  /// In the name of the far end's dialog that `response` belongs to.
  BusMessage news(std::string_view name, const Message& response) const;

  State state_ = State::preparing;
  mutable EarlyDialogs early_;
  std::unique_ptr<Onward> onward_;  // of a leg without a caller
  Target target_;
  Names names_;
  bool heard_ = false;       // of this attempt's server
  bool progressed_ = false;  // a 101 to 199: somebody was reached
  bool own_domain_ = false;  // of From: not the connection's
  bool passes_challenges_ = false;  // to the caller, who answers them himself (D19)
  stack::ResolveId lookup_ = 0;
  DisconnectReason failure_;  // of the last attempt that came to an end
  bool any_transport_ = false;           // nothing says how the far end is reached
  bool looked_wide_ = false;
  bool wide_ = false;                    // it is tried at a machine that takes connections, for its length
  std::optional<stack::FlowId> narrow_;  // the way by UDP, while one by TCP is tried first (D17)
  std::string early_tag_;  // of the far end that rings, the last one where several do
  OwnHeaders extra_;  // until the INVITE has its final response
};

}  // namespace jackfield::sip::call
