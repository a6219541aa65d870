// Requests of ours outside a dialog, and their answers: what scripts send with xsip.generate, and the MESSAGE of a msg.execute.
// Owned by Outside; engine thread only.
#pragma once

#include <jackfield/pending.h>

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "call/own_headers.h"
#include "call/target.h"
#include "core.h"

namespace jackfield::sip::outside {

/// What is sent. From and To name numbers at `domain`; without one, at our own address.
struct OwnRequest {
  std::string method;
  call::Target target;
  std::string caller, callername, called, domain;
  std::string body, type;
  call::OwnHeaders headers;
  unsigned max_forwards = 70;
};

/// The final response; 408 where none came.
struct Answer {
  int code = 408;
  std::string phrase, body, type;
  call::OwnHeaders headers;
};

class Sender {
 public:
  explicit Sender(Core& core) : core_(core), answers_(core.engine.timers()) {}

  /// Timer F ends every wait (32 s) before this does.
  static constexpr Duration kDeadline{300000};
  /// Nothing: it could not be sent.
  std::optional<Pending<Answer>> send(const OwnRequest& request, Duration deadline = kDeadline);
  /// Waits for the answer to a request that somebody else has sent.
  Pending<Answer> expect(stack::ClientTransactionId transaction, Duration deadline = kDeadline);

  // From the transaction layer: whether it was for a request from here.
  bool response(stack::ClientTransactionId transaction, const Message& response);
  bool client_failed(stack::ClientTransactionId transaction);
  void stop();
  std::size_t open() const { return asked_.size(); }

 private:
  Core& core_;
  Pendings answers_;
  std::unordered_map<std::uint64_t, PendingId> asked_;  // by transaction
};

}  // namespace jackfield::sip::outside
