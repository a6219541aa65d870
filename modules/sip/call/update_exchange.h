// Offers and answers outside an INVITE (RFC 3311): the UPDATE that is under way in one dialog, from either side, and the offer that a
// PRACK may carry (RFC 3262 §5). One at a time, and none beside an INVITE of ours that waits. Owned by a leg.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "call/services.h"

namespace jackfield::sip::call {

class UpdateExchange {
 public:
  enum class State : std::uint8_t {
    idle,
    updating,    ///< our UPDATE waits for its final response
    peer_asked,  ///< the far end's waits for the peer leg
  };

  explicit UpdateExchange(Leg& leg) : leg_(leg) {}
  State state() const { return state_; }
  stack::ServerTransactionId server() const { return server_; }
  stack::ClientTransactionId client() const { return client_; }

  // From the far end.
  /// An UPDATE of the dialog.
  void request(const Request& request);
  /// The offer in an UPDATE or PRACK, whose transaction has begun.
  void offered(stack::ServerTransactionId server, std::string_view description);
  /// The final response to our UPDATE. True: the dialog is over (408, 481; RFC 3261 §12.2.1.2).
  bool response(const Message& response);
  void failed();
  /// Nobody answered in time for the transaction the far end waits in.
  void too_late();

  // From the peer leg.
  /// Sends its offer.
  void ask(std::string_view sdp);
  void give_answer(std::string_view sdp);
  void reject(const BusMessage& message);

  /// Sends an UPDATE without a description: the session is asked for, nothing changes (RFC 4028 §7.4).
  void refresh();
  /// The UPDATE that waits once more, with the answer to a challenge. False: it could not be sent.
  bool send_again();
  /// The leg ends: what waits is answered.
  void end();

 private:
  bool send(std::string_view body);
  void send_offer(std::optional<std::string> sdp);
  void send_answer(std::optional<std::string> sdp);
  void refuse(int code, std::string_view phrase = {});

  Leg& leg_;
  State state_ = State::idle;
  bool refreshing_ = false;  // updating: the peer leg does not hear of it
  stack::ServerTransactionId server_;
  stack::ClientTransactionId client_;
};

}  // namespace jackfield::sip::call
