// Transfers that somebody on our side asks a far end for: call.update with operation=transfer becomes a REFER within its dialog (RFC 3515),
// and its NOTIFYs tell how that goes. Once the far end has reached the other number its leg ends; until then, and if it fails, the call
// goes on. Whoever asked hears the outcome in chan.notify. One at a time for each leg. Owned by Calls; engine thread only.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "call/services.h"
#include "line/proofs.h"

#include <jackfield/bus.h>

namespace jackfield::sip::call {

class Referrals {
 public:
  explicit Referrals(Services& services) : services_(services) {}
  Referrals(const Referrals&) = delete;

  void start();
  void stop();
  std::size_t size() const { return referrals_.size(); }

  /// `called` at the far end's own server, or `calleduri`. False: `error` says why nothing was sent.
  bool begin(Leg& leg, BusMessage& message);
  /// A NOTIFY within the dialog of `leg`. False: it is not about a REFER of ours, and not answered.
  bool notify(Leg& leg, const Request& request);
  /// No NOTIFY has said how it ended.
  void overdue(Leg& leg);

  // From the transaction layer: whether it was for a REFER of ours.
  bool response(stack::ClientTransactionId transaction, const Message& response);
  bool client_failed(stack::ClientTransactionId transaction);

 private:
  struct Referral {
    std::string leg, asked_by, target;
    stack::ClientTransactionId refer = {};
    line::Proofs::Round round = {};
  };
  using Table = std::map<LegNumber, Referral>;

  bool send(Leg& leg, Referral& referral);
  void conclude(LegNumber number, int code, std::string_view phrase);

  Services& services_;
  Table referrals_;
  std::unordered_map<std::uint64_t, LegNumber> refers_;  // by transaction
  std::vector<Bus::Subscription> handlers_;
};

}  // namespace jackfield::sip::call
