// Server transactions: the requests we were sent (RFC 3261 §17.2.3), live ones whole; of those that only wait for retransmissions
// what these need: the answer of a completed non-INVITE, of an INVITE that was acknowledged nothing but its key.
// Carries out what the two server machines ask for. Owned by Transactions; engine thread.
#pragma once

#include <string>
#include <unordered_map>
#include <variant>

#include "sip/writer.h"
#include "stack/completed.h"
#include "stack/invite_server.h"
#include "stack/non_invite_server.h"
#include "stack/transaction_context.h"
#include "stack/transaction_table.h"

namespace jackfield::sip::stack {

class ServerSide {
 public:
  ServerSide(TransactionContext& context, const Clock& clock, std::size_t completed_bytes, bool ignore_via);

  /// What a request is looked up by; views are into buffers of ServerSide, valid until the next identify().
  struct Identity {
    std::string_view key;
    std::uint64_t hash = 0;
    std::uint64_t merge_hash = 0;  ///< 0: it cannot be merged
  };
  /// `as`: its own method; INVITE to find the INVITE of an ACK or a CANCEL. `mergeable`: merge_hash is wanted.
  Identity identify(const Message& message, Method as, bool mergeable);

  /// True when the request was a retransmission, and has been dealt with.
  bool retransmission(const Identity& identity, const FlowId& flow);
  /// §8.2.2.2: a copy of a request that is being, or has just been, answered.
  bool merged(const Identity& identity) const;
  /// True when a transaction took the ACK, or had one before; one for a 2xx goes to the user.
  bool ack(const Identity& invite, const Message& message, const FlowId& flow);
  struct Cancelled {
    bool known = false;        ///< the CANCEL names an INVITE of ours
    std::uint64_t invite = 0;  ///< whose user has not been told before and may still answer it; 0: nobody is to be told
  };
  Cancelled cancelled(const Identity& invite);

  std::uint64_t begin(const Message& message, const FlowId& flow, const Identity& identity);
  bool respond(std::uint64_t id, int code, std::string_view bytes);
  void acknowledged(std::uint64_t id);
  /// A final answer without a transaction before it: straight to the completed ones.
  void answer(const Message& message, const FlowId& flow, const Identity& identity, std::string_view bytes);
  /// The same for datagrams, but it leaves with release(); till then what comes again is absorbed.
  std::uint64_t hold(const Message& message, const FlowId& flow, const Identity& identity, std::string_view bytes);
  void release(std::uint64_t held);
  /// Nothing is left of it: another answer can be given. Null: it is gone. Valid until the next answer is kept.
  const CompletedStore::Entry* take_back(std::uint64_t held) { return completed_.forget(held); }

  /// Where a response leaves: the flow; for UDP the address of RFC 3261 §18.2.2, RFC 3581 and D12.
  FlowId response_flow(const Message& request, const FlowId& flow) const;
  /// 13 characters that only this run can derive from Via branch, Call-ID and From tag.
  std::string to_tag(const Message& request);
  /// The common part of a response (§8.2.6), ready for further headers.
  Writer start(std::string& out, const Message& request, const FlowId& flow, int code, std::string_view phrase);

  const Message* request_of(std::uint64_t id) const;
  FlowId flow_of(std::uint64_t id) const;
  void flow_closed(const FlowId& flow);
  std::size_t size() const { return table_.size(); }
  std::size_t completed() const { return completed_.size(); }
  void stop();

 private:
  struct Server {
    Server(std::variant<InviteServer, NonInviteServer> machine_, Message request_, const FlowId& flow_, const FlowId& reply_,
           std::uint64_t merge_hash_)
        : machine(machine_), request(std::move(request_)), flow(flow_), reply_flow(reply_), merge_hash(merge_hash_) {}
    std::variant<InviteServer, NonInviteServer> machine;
    Message request;
    FlowId flow;        // the request's
    FlowId reply_flow;  // the responses': another connection once the first is lost
    std::uint64_t merge_hash;
    std::string response;  // the last
    TimerRoles timers;
    bool cancelled = false;
  };
  struct Received {
    const Message& message;
    const FlowId& flow;
  };

  void run(std::uint64_t id, const Actions& actions, const Received* received);
  void fired(Timer timer, std::uint64_t id);
  void send(std::uint64_t id);
  bool reconnect(std::uint64_t id, Server& server);
  void redirect(std::uint64_t id, Server& server, const FlowId& flow);
  void retire(std::uint64_t id);
  void end(std::uint64_t id);
  CompletedStore::Position keep(const CompletedStore::Entry& entry);
  void sweep();

  TransactionContext& context_;
  const Clock& clock_;
  bool ignore_via_;
  TransactionTable<Server> table_;
  std::unordered_map<std::uint64_t, std::uint32_t> merge_counts_;  // of live transactions
  std::unordered_multimap<FlowId, std::uint64_t, FlowHash> redirected_;  // those that answer over another connection
  CompletedStore completed_;
  TimerSinks sinks_;
  TimerRoles sweep_;  // timer J of all completed ones together
  std::string key_, merge_key_, tag_key_;
};

}  // namespace jackfield::sip::stack
