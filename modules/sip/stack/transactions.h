// The transaction layer: RFC 3261 §17 with RFC 6026. Stands on Transport, parses what it delivers, matches it, retransmits, and
// hands the rest up. Answers by itself: what does not parse (400 with the reason, 413, 513, 505), retransmissions,
// CANCEL for nothing (481), merged requests (482, D13), 100 within 200 ms, requests without Max-Forwards left (483).
// Engine thread. Everything is referred to by id; a stale id is harmless.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <string>
#include <string_view>

#include "sip/message.h"
#include "stack/transport.h"

namespace jackfield::sip {
class Writer;
}

namespace jackfield::sip::stack {

struct ServerTransactionId {
  std::uint64_t value = 0;
  explicit operator bool() const { return value != 0; }
  friend bool operator==(ServerTransactionId, ServerTransactionId) = default;
};
struct ClientTransactionId {
  std::uint64_t value = 0;
  explicit operator bool() const { return value != 0; }
  friend bool operator==(ClientTransactionId, ClientTransactionId) = default;
};

/// A final answer that is written and may not leave yet.
struct HeldAnswerId {
  std::uint64_t value = 0;
  explicit operator bool() const { return value != 0; }
};

struct TransactionOptions {
  std::chrono::milliseconds t1{500}, t2{4000}, t4{5000};
  std::chrono::milliseconds timer_c{180000};
  std::chrono::milliseconds linger{0};        ///< D, I, J, K; 0: as the RFC has them (32 s, T4)
  bool ignore_via = false;                    ///< without rport: answer to the source port always (D12)
  std::size_t completed_bytes = 256u << 20;   ///< of completed transactions kept; the oldest leave first
};

/// A request that no transaction knew. Valid during TransactionUser::request only; clone() the message to keep it.
struct IncomingRequest {
  const Message& message;  ///< check_mandatory() has passed
  FlowId flow;
};

enum class ClientFailure : std::uint8_t { timeout, flow_closed, stopped };

class TransactionUser {
 public:
  virtual ~TransactionUser() = default;
  /// Any request but CANCEL that is no retransmission; ACK only for a 2xx. Answer at once with Transactions::reply (nothing
  /// is kept), or begin() a server transaction and respond() later.
  virtual void request(const IncomingRequest& request) = 0;
  /// The INVITE was cancelled and the CANCEL answered; respond(487) is up to the user. `cancel` for its Reason header.
  virtual void cancelled(ServerTransactionId invite, const Message& cancel) = 0;
  /// A server INVITE transaction ended without ACK (timer H), no way to its client is left, or a 2xx was never acknowledged (64*T1).
  /// A closed connection alone does not end it: its response opens a new one (RFC 3261 §18.2.2).
  virtual void server_failed(ServerTransactionId invite) = 0;
  /// 1xx (not 100 of a non-INVITE), 2xx (each of them), 3xx–6xx (acknowledged already).
  virtual void response(ClientTransactionId transaction, const Message& response, const FlowId& flow) = 0;
  virtual void client_failed(ClientTransactionId transaction, ClientFailure failure) = 0;
  /// A response to an INVITE that matches no transaction (a late 2xx of a fork); most users drop it.
  virtual void stray_response(const Message& response, const FlowId& flow) = 0;
  virtual void flow_closed(const FlowId& flow, std::string_view reason) = 0;
};

class Transactions : public TransportEvents {
 public:
  Transactions(Engine& engine, TransactionOptions options);
  ~Transactions() override;
  void attach(Transport& transport, TransactionUser& user);

  // Server side.
  /// Answers without a trace (RFC 3261 §8.2.7): 401, 403… A retransmission is a new request that gets the same answer; the To tag
  /// is derived from the request. `extra` writes further headers.
  /// A callable `void(Writer&)`, borrowed for the length of the call: nothing is allocated for it.
  class ExtraHeaders {
   public:
    ExtraHeaders() : callable_(nullptr), call_(nullptr) {}
    template <class Callable>
      requires(!std::same_as<std::remove_cvref_t<Callable>, ExtraHeaders>)
    ExtraHeaders(const Callable& callable)  // NOLINT: implicit, so that a lambda can be passed
        : callable_(&callable), call_([](const void* c, Writer& writer) { (*static_cast<const Callable*>(c))(writer); }) {}
    void operator()(Writer& writer) const {
      if (call_) call_(callable_, writer);
    }

   private:
    const void* callable_;
    void (*call_)(const void*, Writer&);
  };
  void reply(const IncomingRequest& request, int code, std::string_view phrase = {}, const ExtraHeaders& extra = {});
  /// As reply, but the final answer is kept for retransmissions (non-INVITE: timer J).
  void reply_and_keep(const IncomingRequest& request, int code, std::string_view phrase = {}, const ExtraHeaders& extra = {});
  /// As reply_and_keep, but the answer leaves with release(); what comes again meanwhile is absorbed. Only of datagrams that are no INVITE.
  HeldAnswerId hold(const IncomingRequest& request, int code, std::string_view phrase = {}, const ExtraHeaders& extra = {});
  void release(HeldAnswerId held);
  /// Answers with this instead, without a trace.
  void refuse(HeldAnswerId held, int code, std::string_view phrase = {}, const ExtraHeaders& extra = {});
  /// Keeps the request; a 100 goes out by itself after 200 ms for INVITE.
  ServerTransactionId begin(const IncomingRequest& request);
  /// The request of a live transaction; null when it is gone, as that of an INVITE once its final answer was acknowledged.
  const Message* request_of(ServerTransactionId transaction) const;
  FlowId flow_of(ServerTransactionId transaction) const;
  /// Where a response to it goes: the flow, or (UDP) the address RFC 3261 §18.2.2, RFC 3581 and D12 say.
  /// `bytes` is a whole response (start_response). 2xx to INVITE are retransmitted until acknowledged() (RFC 6026, §13.3.1.4).
  /// False when the transaction is gone or already has its final answer.
  bool respond(ServerTransactionId transaction, int code, std::string_view bytes);
  /// Stops the retransmission of a 2xx; the dialog saw the ACK.
  void acknowledged(ServerTransactionId transaction);
  /// The tag a stateless or stateful answer to this request carries.
  std::string to_tag(const Message& request) const;

  // Client side.
  /// Sends a whole request whose top Via has the branch of new_branch(). Retransmits as the method and flow ask.
  /// `t1` in place of the general one where it is not 0: B and F scale with it.
  ClientTransactionId send(const FlowId& flow, Method method, std::string_view branch, std::string_view bytes, std::chrono::milliseconds t1 = {});
  /// Ends a request other than INVITE silently: it is sent no more, and its answer is nobody's.
  void abandon(ClientTransactionId request);
  /// Sends CANCEL for an INVITE: at once after a provisional response, else when one comes (§9.1). The final response still
  /// arrives; 64*T1 after the CANCEL without one the transaction fails with timeout.
  void cancel(ClientTransactionId invite, std::string_view reason_header = {});
  /// Outside any transaction: ACK for a 2xx.
  bool send_stateless(const FlowId& flow, std::string_view bytes);
  std::string new_branch();

  std::size_t live() const;
  std::size_t completed() const;
  /// Ends everything silently (stop).
  void stop();

 private:
  void message(const FlowId& flow, std::string_view bytes) override;
  void unframed(const FlowId& flow, std::string_view seen, int status, std::string_view reason) override;
  void opened(const FlowId& flow) override;
  void closed(const FlowId& flow, std::string_view reason) override;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace jackfield::sip::stack
