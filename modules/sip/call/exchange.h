// The INVITE that is under way within one dialog, and its offer and answer (RFC 3261 §13, §14; RFC 3264): one state machine for both
// directions. The first INVITE enters it once it is answered, a re-INVITE from its beginning. One at a time: a second one is 491.
// Owned by a leg.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "call/services.h"

namespace jackfield::sip::call {

class Exchange {
 public:
  enum class State : std::uint8_t {
    idle,
    inviting,        ///< our INVITE waits for its final response
    answer_due,      ///< its 2xx brought an offer; the ACK waits for the peer leg's answer
    peer_asked,      ///< the far end's re-INVITE waits for the peer leg
    unacknowledged,  ///< our 2xx waits for its ACK
  };

  explicit Exchange(Leg& leg) : leg_(leg) {}
  State state() const { return state_; }
  stack::ServerTransactionId server() const { return server_; }
  stack::ClientTransactionId client() const { return client_; }
  bool offered() const { return offered_; }  ///< of the INVITE under way
  /// What the far end offers in a 2xx whose ACK waits for the answer; else empty.
  const std::string& offer_due() const { return offer_due_; }
  /// An offer of ours waits for its answer.
  bool offer_waits() const { return state_ == State::inviting || (state_ == State::unacknowledged && offered_); }

  // The first INVITE.
  /// Ours left; `offered`: it had a description.
  void invited(stack::ClientTransactionId client, bool offered);
  /// We answered the far end's with a 2xx; `offered`: that one brought the offer.
  void answered(stack::ServerTransactionId server, std::uint32_t cseq, bool offered);

  // From the far end.
  void reinvite(const Request& request);
  /// The first INVITE of ours was refused or never answered.
  void refused() { state_ = State::idle; }
  /// A 2xx to our INVITE, first or repeated; the dialog is up to date. Acknowledges it unless the answer is still due.
  void success(const Message& response);
  /// The INVITE under way once more, with a number of its own. False: it could not be sent.
  bool send_again();
  /// Any other response to a re-INVITE of ours. True: the dialog is over (408, 481; §12.2.1.2).
  bool response(const Message& response);
  /// No response came to a re-INVITE of ours.
  void failed();
  /// True when it was for the 2xx that waited.
  bool acknowledged(const Message& ack);
  void cancelled();
  /// Timer H or a closed connection: there will be no ACK.
  void unanswered() { state_ = State::idle; }
  /// Nobody has answered what it offered in its 2xx, and by now it has given up waiting for the ACK.
  void answer_overdue();

  // From the peer leg.
  /// Its offer, or an INVITE that asks for one. The state is idle.
  void ask(std::string_view sdp);
  /// The answer to what the far end offered: in a re-INVITE that waits, or in a 2xx whose ACK waits.
  void give_answer(std::string_view sdp);
  void reject(const BusMessage& message);
  /// Gives up the INVITE it asked for. False: there is none.
  bool take_back();

  /// Sends an INVITE that changes nothing, to see that the far end is there (RFC 4028 §7.4). The state is idle.
  void refresh();

  /// A re-INVITE of our own without a description: the offer that its 2xx brings goes to the peer leg as a request (RFC 3725 §4).
  /// The state is idle.
  void ask_for_offer();

  /// The leg ends: what waits is answered (487), what is due is acknowledged. An unacknowledged 2xx goes on waiting.
  void end();

 private:
  bool send(std::string_view body);
  void send_offer(std::optional<std::string> sdp);
  void send_answer(std::optional<std::string> sdp);
  void refuse_reinvite(int code, std::string_view phrase);
  void send_ack(std::string_view sdp);
  void await_answer(std::string_view offer);
  /// What the peer leg does not take refuses the far end's re-INVITE, with `otherwise` unless it says why.
  void pass_on(std::string_view operation, int otherwise, std::string_view sdp = {});

  Leg& leg_;
  State state_ = State::idle;
  bool own_ = false;      // inviting, answer_due: nobody but us asked for it
  bool offered_ = false;  // inviting: our INVITE had the offer; unacknowledged: our 2xx had it
  bool refreshing_ = false;  // inviting: the peer leg does not hear of it
  std::size_t streams_ = 0;  // inviting: of the peer leg's offer, where ours has more
  std::uint32_t cseq_ = 0;
  stack::ServerTransactionId server_;
  stack::ClientTransactionId client_;
  std::string offer_due_;  // answer_due: what is to be answered
  std::string ack_body_;   // of the last ACK, to repeat it; almost always empty
};

}  // namespace jackfield::sip::call
