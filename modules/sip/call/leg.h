// One SIP end of a call: a channel on the bus and a dialog on the wire (a B2BUA has two, which speak in messages only). What both
// kinds share: requests within the dialog, hanging up, time limits, and the channel's life. IncomingLeg and OutgoingLeg add how the
// call is set up. Owned by LegTable; a leg that left the bus lives on until its last transaction has ended.
#pragma once

#include <jackfield/channel.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "call/exchange.h"
#include "call/far_end.h"
#include "call/reasons.h"
#include "call/services.h"
#include "call/session_identity.h"
#include "call/session_timer.h"
#include "call/update_exchange.h"
#include "line/proofs.h"
#include "stack/dialog.h"

namespace jackfield::sip::call {

class Leg : public Channel {
 public:
  enum class Timer : std::uint8_t {
    maxcall,      ///< unanswered for too long
    maxpdd,       ///< nothing heard for too long
    timeout,      ///< the call lasts too long
    provisional,  ///< a ringing INVITE repeats itself every minute (RFC 3261 §13.3.1.1)
    reliable,     ///< a reliable provisional response is repeated (RFC 3262 §3)
    update,       ///< the far end's UPDATE has waited long enough (RFC 3311 §5.2)
    session,      ///< the session is refreshed, or has expired (RFC 4028)
    connecting,   ///< a connection for a large INVITE is being opened (D17)
    answer,       ///< what the far end offered in a 2xx is to be answered
    join,         ///< two that were connected are to get a session, and one of them was busy
    attempt,      ///< a server has not even said 100 (D18)
    referral,     ///< the far end does not say how the transfer goes that it was asked for
  };
  static constexpr std::size_t kTimers = 12;

  Leg(Services& services, ChannelDirection direction, const stack::FlowId& flow);
  ~Leg() override;

  LegNumber number() const { return number_; }
  Services& services() const { return services_; }
  stack::Dialog& dialog() { return dialog_; }
  const stack::Dialog& dialog() const { return dialog_; }
  const stack::FlowId& flow() const { return flow_; }
  const std::string& username() const { return username_; }
  /// Whom the far end belongs to: the caller's user, or the one whose phone was called. Empty: nobody of ours.
  const std::string& user() const { return username_.empty() ? phone_user_ : username_; }
  /// `sip:101@example.org` for user().
  std::string user_uri() const;
  /// The number of the far end, and the one it talks to.
  const std::string& far_party() const { return direction() == ChannelDirection::incoming ? caller_ : called_; }
  const std::string& near_party() const { return direction() == ChannelDirection::incoming ? called_ : caller_; }
  /// The connection the far end is reached by; empty: none.
  const std::string& line() const { return line_; }
  /// What was said about this far end alone (D6); nothing: the general rule holds.
  std::optional<bool> transfer_allowed() const { return transfer_allowed_; }
  bool gone() const { return gone_; }  ///< it left the bus
  /// True for the far end's tag, also before the dialog is established.
  virtual bool is_far_tag(std::string_view tag) const { return dialog_.remote_tag() == tag; }
  /// True for the dialog's flow and its peer's address.
  bool is_peers(const stack::FlowId& from) const { return from == flow_ || from.remote.same_host(flow_.remote); }
  /// True when a request from there needs credentials first (D4).
  bool wants_credentials(const stack::FlowId& from) const;

  /// Whether a request that has our tag comes from the far end that this leg talks to.
  virtual bool is_from_peer(const Message& request) const { return dialog_.is_from_peer(request); }

  // From the wire.
  /// A request within the dialog that may be served; not an ACK. Where it came from becomes the dialog's flow.
  void in_dialog(const Request& request);
  void acknowledge(const Message& ack);
  virtual void response(stack::ClientTransactionId transaction, const Message& response, const stack::FlowId& flow);
  virtual void client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure);
  virtual void cancelled(stack::ServerTransactionId transaction, const Message& cancel);
  virtual void server_failed(stack::ServerTransactionId transaction);
  void timer(Timer timer);

  // From the bus.
  /// Ends the call towards the far end, then on the bus.
  void drop(const DisconnectReason& reason);
  /// A BYE that still waits for the ACK leaves now: there will be nobody to receive one.
  void end_without_ack();
  /// call.update of the peer leg, with operation request or initiate, notify, reject or cancel. False: not now, `error` says why.
  bool update(BusMessage& message);
  void complete(BusMessage& message) const override;
  /// chan.control: new limits, in milliseconds; 0 takes one away.
  void limit(Timer timer, Duration delay) { start_timer(timer, delay); }

  // For transfers and pickups.
  /// True when an offer may be sent; before the answer by UPDATE only.
  virtual bool may_offer() const;
  /// True from the second REFER on: their NOTIFYs are told apart by an id (RFC 3515 §2.4.6).
  bool refers_before() { return std::exchange(referred_, true); }
  /// The leg whose far end has agreed on a session with this one's.
  const std::string& session_with() const { return session_with_; }
  void set_session_with(std::string_view leg) { session_with_ = leg; }
  /// One further offer may follow when what was promised to this far end turns out otherwise. take_reoffer: once.
  void allow_reoffer() { reoffer_ = true; }
  bool take_reoffer() { return std::exchange(reoffer_, false); }

  // For its exchanges.
  /// What an offer of the far end meets (RFC 3311 §5.2): one of ours, or an earlier one of its own, may wait for its answer.
  enum class Offers : std::uint8_t { allowed, ours_waits, theirs_waits };
  virtual Offers offers(const Message& request) const;
  /// The Contact of a request or a 2xx becomes where requests go (§12.2).
  virtual void refresh_target(const Message& message) { dialog_.refresh_target(message); }
  UpdateExchange& updates() { return updates_; }
  SessionTimer& session() { return session_; }
  SessionTimer::Terms session_terms() const;
  /// A 2xx to our INVITE or UPDATE: the far end is there.
  void session_confirmed(const Message& response);
  /// How long to wait after a 491 (RFC 3261 §14.1).
  Duration glare_wait() const;
  /// It refused a refresh of ours, and is there.
  void refresh_refused(int code);
  /// The last description that the far end was sent.
  const std::string& sent_description() const { return sent_description_; }
  FarEnd& far_end() { return far_end_; }
  void start_timer(Timer timer, Duration delay);
  void stop_timer(Timer timer);

  // For its exchanges and its setup.
  /// A message in this leg's name, with its channel parameters.
  BusMessage message(std::string_view name) const;
  stack::ClientTransactionId send_request(Method method, std::string_view body = {}, const stack::Transactions::ExtraHeaders& extra = {},
                                          std::string_view content_type = "application/sdp");
  /// A request whose answer changes nothing, unless there is no such dialog.
  bool send_aside(Method method, std::string_view body, std::string_view content_type);
  /// A 401 or 407 that the next request answers.
  bool learn_challenge(const Message& response, line::Proofs::Round& round);
  void send_ack(std::uint32_t cseq, std::string_view body);
  /// A response to an INVITE of this dialog; `sdp` goes as given. `tag`: another To tag than the dialog's, for a first INVITE.
  /// False: the transaction is over.
  bool respond(stack::ServerTransactionId transaction, int code, std::string_view phrase = {}, std::string_view sdp = {},
               const stack::Transactions::ExtraHeaders& extra = {}, std::string_view tag = {});
  virtual SessionIdentity& identity() { return identity_; }
  Exchange& exchange() { return exchange_; }
  void set_media_asked() { media_asked_ = true; }
  /// How the far end reaches us.
  void write_contact(Writer& writer) const;
  /// Destroys the leg (later) when it left the bus and nothing on the wire waits for it.
  void settle_end();

 protected:
  /// Ends an unanswered call towards the far end: CANCEL, or a final response.
  virtual void end_setup(const DisconnectReason& reason) = 0;
  /// A request of the dialog that the far end may send before it was answered (BYE).
  virtual void ended_early(const DisconnectReason& reason) = 0;
  /// True while a transaction of the setup is open.
  virtual bool setup_open() const { return false; }
  virtual void provisional_due() {}
  virtual void reliable_due() {}
  virtual void connecting_due() {}
  virtual void attempt_due() {}
  /// A PRACK; nobody but a caller whose call is not answered sends one.
  virtual void acknowledged_reliably(const Request& request) { services_.reply(request, 481); }
  /// Takes the number of a request; false: older than one already seen (§12.2.2).
  virtual bool take_cseq(const Message& request) { return dialog_.take_cseq(request.cseq()->number); }
  /// The dialog that requests belong to.
  virtual stack::Dialog& request_dialog() { return dialog_; }
  /// Another flow for a request of this size, as long as the dialog is bound to none (D17).
  virtual std::optional<stack::FlowId> flow_for(std::size_t /*size*/) { return std::nullopt; }
  stack::ClientTransactionId send_in(stack::Dialog& dialog, Method method, std::string_view body, const stack::Transactions::ExtraHeaders& extra,
                                     std::string_view content_type);
  /// As send_aside, within one of several dialogs.
  bool send_aside_in(stack::Dialog& dialog, Method method, std::string_view body, std::string_view content_type,
                     const stack::Transactions::ExtraHeaders& extra = {});

  /// Hangs up on the bus: peer, chan.hangup, the engine's table. Once. `own_code` is this leg's cause_sip where `reason` has none.
  void leave(const DisconnectReason& reason, int own_code = 0);
  void hang_up(const DisconnectReason& reason);
  void set_flow(const stack::FlowId& flow);
  void set_dialog(stack::Dialog dialog);
  void set_identity(const SessionIdentity& identity) { identity_ = identity; }
  void set_answered_now();

  Services& services_;
  Exchange exchange_;
  UpdateExchange updates_;
  FarEnd far_end_;
  SessionTimer session_;
  bool reliable_ = false;  ///< our INVITE lets provisional responses be reliable (RFC 3262)
  std::string caller_, called_, username_, domain_, line_;
  /// How a connection's server knows us, where that is not by user and address alone.
  struct OwnContact {
    std::string user, host;
  };
  std::optional<OwnContact> contact_;
  /// What proves to a connection's server that we are its customer: with each request from the first challenge on.
  struct Customer {
    stack::Credentials credentials;
    line::Proofs proofs = {};
    Duration t1{0};  ///< of INVITEs; 0: the general one
    line::Proofs::Round invite = {}, update = {}, bye = {};  ///< of the last one of each
  };
  std::unique_ptr<Customer> customer_;
  line::ProofLines relayed_;  ///< what the caller proves to the far side himself (D19), with the INVITE that is not answered yet
  std::string phone_user_;  // of a called phone of ours
  std::optional<bool> transfer_allowed_;
  std::optional<Device> device_;  // finds the phone's next connection
  bool authenticated_ = false;
  bool anonymous_ = false;  // our Contact names nobody

 private:
  /// A request whose answer changes nothing; one that is challenged is sent again, which takes its text.
  struct Aside {
    stack::ClientTransactionId transaction;
    Method method = Method::other;
    std::string body = {}, content_type = {};
    line::Proofs::Round round = {};
  };

  void bye(const Request& request);
  void send_bye();
  void write_bye();
  /// True: a 401 or 407 that was answered with the same request and credentials.
  bool proved(stack::ClientTransactionId transaction, const Message& response);
  /// The round of this request, while it waits for its answer; null: it is not sent again.
  line::Proofs::Round* round_of(stack::ClientTransactionId transaction);
  void session_due();
  void watch_session();
  const stack::FlowId& out_flow();

  LegNumber number_;
  stack::Dialog dialog_;
  stack::FlowId flow_;
  SessionIdentity identity_;
  std::string sent_description_;
  std::vector<Aside> aside_;
  line::ProofLines invite_proofs_;  ///< of the last INVITE, for the ACK to its 2xx (RFC 3261 §22.1)
  std::array<TimerHandle, kTimers> timers_;
  stack::ClientTransactionId bye_;
  std::string bye_reason_;  // Reason of a BYE that waits for the ACK
  std::string session_with_;
  bool gone_ = false, bye_waits_ = false, media_asked_ = false, indexed_ = false, referred_ = false, reoffer_ = false;
};

}  // namespace jackfield::sip::call
