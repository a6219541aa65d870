// Client transactions: the requests we sent, found again by what answers them (RFC 3261 §17.1.3). Carries out what the two client
// machines ask for, writes ACK for refusals and CANCEL from the request's own bytes. Owned by Transactions; engine thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>

#include "stack/invite_client.h"
#include "stack/non_invite_client.h"
#include "stack/transaction_context.h"
#include "stack/transaction_table.h"

#include <jackfield/metrics.h>

namespace jackfield::sip::stack {

class ClientSide {
 public:
  ClientSide(TransactionContext& context, Counter& resent);

  ClientTransactionId send(const FlowId& flow, Method method, std::string_view branch, std::string_view bytes, Milliseconds t1);
  void abandon(std::uint64_t request);
  void cancel(std::uint64_t invite, std::string_view reason_header);
  /// False: it belongs to none of them.
  bool response(const Message& response, const FlowId& flow);
  void flow_closed(const FlowId& flow);
  std::size_t size() const { return table_.size(); }
  void stop();

 private:
  struct Client {
    Client(std::variant<InviteClient, NonInviteClient> machine_, Method method_, const FlowId& flow_, std::string_view request_)
        : machine(machine_), method(method_), flow(flow_), request(request_) {}
    std::variant<InviteClient, NonInviteClient> machine;
    Method method;
    FlowId flow;
    std::string request;
    std::string reason;  // for the CANCEL
    TimerRoles timers;
    bool flow_gone = false;  // before it was used
  };
  struct Received {
    const Message& message;
    const FlowId& flow;
  };

  std::uint64_t start(const FlowId& flow, Method method, std::string_view branch, std::string_view bytes, const Times& times);
  const Times& times_with(Milliseconds t1);
  void run(std::uint64_t id, const Actions& actions, const Received* received);
  void fired(Timer timer, std::uint64_t id);
  void end(std::uint64_t id);
  void send_ack(const Client& client, const Message& response);
  void send_cancel(const Client& client);
  /// Into the scratch buffer, an ACK or CANCEL that goes beside the client's request: its Request-URI, Call-ID, From, CSeq number,
  /// Route and the one Via, and the To of `response` where there is one (§17.1.1.3, §9.1).
  bool write_beside(const Client& client, Method method, const Message* response = nullptr);

  TransactionContext& context_;
  Counter& resent_;
  TransactionTable<Client> table_;
  std::map<Milliseconds, Times> times_;  // with another T1: as many as the configuration has
  TimerSinks sinks_;
  std::string key_;
  Message request_;  // of a transaction, parsed again for its ACK or CANCEL
};

}  // namespace jackfield::sip::stack
