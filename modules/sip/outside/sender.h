// Requests of ours outside a dialog, and their answers: what scripts send with xsip.generate, and the MESSAGE of a msg.execute.
// Owned by Outside; engine thread only.
#pragma once

#include <jackfield/pending.h>
#include <jackfield/timers.h>

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
  Duration silence{0};  ///< how long there may be no answer at all, a provisional one other than 100 included; 0: as long as the transaction lasts

  // Sender's own, from one attempt to the next: the same Call-ID and From tag, and rising numbers (RFC 3261 §8.1.3.5).
  std::string call_id = {}, tag = {};
  std::uint32_t cseq = 0;
};

/// The final response; 408 where none came.
struct Answer {
  int code = 408;
  std::string phrase, body, type;
  call::OwnHeaders headers;
  bool unconnected = false;  ///< it was too long for UDP, and there is no connection to be had
  bool unreachable = false;  ///< nobody said anything, or there is no way to anybody
};

class Sender {
 public:
  explicit Sender(Core& core);
  ~Sender();

  /// Timer F ends every wait (32 s) before this does.
  static constexpr Duration kDeadline{300000};
  /// Past udp_mtu it goes by TCP where nothing says how (D17, RFC 3428 §8 and RFC 3261 §18.1.1). Nothing: it could not be sent.
  std::optional<Pending<Answer>> send(OwnRequest& request, Duration deadline = kDeadline);
  /// Waits for the answer to a request that somebody else has sent.
  Pending<Answer> expect(stack::ClientTransactionId transaction, Duration deadline = kDeadline);

  // From the transaction layer: whether it was for a request from here.
  bool response(stack::ClientTransactionId transaction, const Message& response);
  bool client_failed(stack::ClientTransactionId transaction, stack::ClientFailure failure);
  void stop();
  std::size_t open() const { return asked_.size(); }

 private:
  struct Asked {
    PendingId answer;
    std::optional<stack::FlowId> opening = {};  ///< the connection that is tried
    TimerHandle limit = {};
    TimerHandle silence = {};
  };
  using Table = std::unordered_map<std::uint64_t, Asked>;
  Asked take(Table::iterator asked);
  void silent(std::uint64_t transaction);

  Core& core_;
  TimerSinkId timers_, silences_;
  Pendings answers_;
  Table asked_;  // by transaction
};

}  // namespace jackfield::sip::outside
