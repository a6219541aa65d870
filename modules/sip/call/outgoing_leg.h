// The leg of a called phone: a client INVITE transaction until it answers. Its state machine is here; what follows the answer is
// Leg's. Made by call.execute. Owned by LegTable.
#pragma once

#include <string>
#include <string_view>

#include "call/leg.h"
#include "call/target.h"

namespace jackfield::sip::call {

class OutgoingLeg final : public Leg {
 public:
  enum class State : std::uint8_t {
    preparing,   ///< a media module is asked for the offer
    calling,     ///< the INVITE left
    cancelling,  ///< given up; its final response is to come (RFC 3261 §9.1)
    answered,
    over,
  };

  OutgoingLeg(Services& services, const Target& target, const BusMessage& execute);

  State state() const { return state_; }
  /// Sends the INVITE, at once unless a media module waits.
  void call(const BusMessage& execute);

  void response(stack::ClientTransactionId transaction, const Message& response, const stack::FlowId& flow) override;
  void client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure) override;

 private:
  void send_invite(std::optional<std::string> sdp);
  void provisional(const Message& response);
  void success(const Message& response);
  void refused(const Message& response);
  void end_setup(const DisconnectReason& reason) override;
  void ended_early(const DisconnectReason&) override {}
  bool setup_open() const override { return state_ == State::cancelling; }
  /// In the name of the far end's dialog that `response` belongs to.
  BusMessage news(std::string_view name, const Message& response) const;

  State state_ = State::preparing;
  std::vector<std::pair<std::string, std::string>> extra_;  // osip_* headers, until the INVITE left
};

}  // namespace jackfield::sip::call
