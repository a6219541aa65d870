// A phone that keeps to the RFCs, with a transaction layer of its own, and otherwise does whatever the dice say: calls, rings, answers
// and refuses in every way, changes its mind, offers again, transfers, picks up, hangs up. It knows which of its calls are not over:
// only the server's word, or its own, ends one.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "lossy_network.h"
#include "stack/dialog.h"

namespace jackfield::sip::call {

class FreePhone final : public Attached, private stack::TransactionUser {
 public:
  /// `connection`: 0 for UDP.
  FreePhone(LossyNetwork& network, std::string name, const std::string& address, std::uint32_t connection);
  ~FreePhone() override;

  /// One thing, or nothing.
  void act(const FreePhone& other);
  void call(const std::string& number, const std::string& extra = {});
  /// Begins nothing more, and answers what comes.
  void calm_down() { calm_ = true; }
  /// Says no more, and hears nothing.
  void die() { dead_ = true; }
  /// Its connection is cut, and it makes another.
  void reconnect(std::uint32_t connection);
  /// Ends the first call that is not over; false: there is none.
  bool hang_up();

  bool dead() const { return dead_; }
  /// Calls that are not over.
  std::size_t open() const;
  std::string open_calls() const;
  std::size_t transactions() const { return transactions_.live(); }
  /// What it saw, for the test to see that it tests something: `INVITE 200` for an answer it got, `<INVITE` for a request.
  const std::map<std::string, unsigned>& saw() const { return saw_; }
  const std::string& user() const override { return name_; }
  stack::FlowId as_seen() const { return {address_, connection_, 0, kind_}; }

 private:
  enum class State : std::uint8_t { calling, ringing, up, ending, over };
  struct Call {
    stack::Dialog dialog;
    State state;
    stack::ClientTransactionId invite = {};   ///< ours that waits for its final response
    std::uint32_t invite_cseq = 0;
    bool offered = false;                     ///< it had an offer
    bool cancelled = false;
    std::map<std::uint32_t, std::string> acks = {};  ///< by CSeq, for a 2xx that comes again
    stack::ServerTransactionId asked = {};    ///< theirs that waits for our final response
    bool reliably = false;                    ///< it allows provisional responses to be reliable
    stack::ServerTransactionId accepted = {};  ///< theirs whose ACK is to come
    std::uint32_t accepted_cseq = 0;
    std::uint32_t rseq = 0, unacknowledged = 0;
    bool bye_waits = false;
    stack::ClientTransactionId update = {}, bye = {};
    std::set<std::string> pracked = {};
  };
  class Wire final : public stack::FakeTransport {};

  void deliver(std::uint32_t connection, stack::TransportKind kind, const std::string& bytes) override;
  void request(const stack::IncomingRequest& request) override;
  void cancelled(stack::ServerTransactionId invite, const Message& cancel) override;
  void server_failed(stack::ServerTransactionId invite) override;
  void response(stack::ClientTransactionId transaction, const Message& response, const stack::FlowId& flow) override;
  void client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure) override;
  void stray_response(const Message& response, const stack::FlowId& flow) override;
  void flow_closed(const stack::FlowId&, std::string_view) override {}

  Call* find(const Message& message, bool from_us);
  Call* of(stack::ServerTransactionId invite);
  stack::FlowId server() const;
  stack::ClientTransactionId send(Call& call, Method method, std::string_view body = {}, std::string_view extra = {});
  void acknowledge(Call& call, std::uint32_t cseq, bool offered);
  void begin_invite(Call& call, std::string_view extra = {});
  void respond(Call& call, stack::ServerTransactionId transaction, int code, std::string_view body = {}, std::string_view extra = {});
  void reply(const stack::IncomingRequest& request, int code, std::string_view body = {});
  void incoming(const stack::IncomingRequest& request);
  void asked_again(Call& call, const stack::IncomingRequest& request);
  void ring(std::size_t call, stack::ServerTransactionId invite);
  void repeat(std::size_t call, stack::ServerTransactionId invite, std::uint32_t rseq, std::string bytes, Duration interval);
  void decide(std::size_t call, stack::ServerTransactionId invite);
  void answered(Call& call, const Message& response);
  void end(Call& call);
  void send_bye(Call& call);
  void refer(Call& call);
  std::string session() const;
  std::size_t number_of(const Call& call) const;
  std::string contact() const;

  LossyNetwork& network_;
  Dice& dice_;
  Wire wire_;
  stack::Transactions transactions_;
  std::string name_, allow_ = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, REFER, NOTIFY, MESSAGE";
  net::Address address_;
  std::uint32_t connection_;
  stack::TransportKind kind_;
  std::deque<Call> calls_;  // addresses stay
  std::map<std::string, unsigned> saw_;
  unsigned tags_ = 0;
  bool calm_ = false, dead_ = false;
};

}  // namespace jackfield::sip::call
