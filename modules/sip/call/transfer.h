// Transfers that a leg asks for with REFER (RFC 3515, RFC 5589). Blind: a new call is routed as the user of that leg (D6); a channel
// `transfer/N` stands in for the transferred party until the new leg answers, so that a transfer that fails has changed nothing.
// Attended: Replaces names another call of the same user, and the two far ends are connected. Owned by Calls; engine thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "call/refer.h"
#include "call/services.h"

#include <jackfield/bus.h>
#include <jackfield/channel.h>

namespace jackfield::sip::call {

class Transfers {
 public:
  explicit Transfers(Services& services) : services_(services) {}
  ~Transfers();
  Transfers(const Transfers&) = delete;

  void start();
  void stop();
  std::size_t size() const { return transfers_.size(); }

  /// A REFER within the dialog of `leg`.
  void refer(Leg& leg, const Request& request);

  // From the transaction layer: whether it was for a NOTIFY of ours.
  bool response(stack::ClientTransactionId transaction, const Message& response);
  bool client_failed(stack::ClientTransactionId transaction);

 private:
  enum class State : std::uint8_t {
    calling,   ///< the new call is routed or rings
    reported,  ///< it ended, well or badly; the NOTIFY that says so waits for its answer
  };
  struct Transfer {
    State state = State::calling;
    LegNumber transferor = 0;
    std::string transferor_id, party;       ///< the leg that asked; who is transferred
    std::unique_ptr<Channel> channel = {};  ///< `transfer/N`, while the new call is under way
    std::string event;                      ///< of the NOTIFYs
    bool reports = true;
    bool succeeded = false;
    bool alone = false;  ///< the transferor has hung up: the party waits for the new call alone
    int last_code = 0;
    stack::ClientTransactionId notify = {};
  };
  using Number = std::uint64_t;
  class NewCall;

  bool may_transfer(const Leg& leg) const;
  bool accept(Leg& leg, const Request& request, Transfer& transfer) const;
  void attended(Leg& leg, Leg& other, Transfer transfer);
  void blind(Leg& leg, const Request& request, const ReferTarget& target, Transfer transfer);
  BusMessage route_message(const Leg& leg, const Request& request, const ReferTarget& target, const Transfer& transfer) const;

  bool progress(int code, const BusMessage& message);
  bool answered(BusMessage& message);
  bool disconnected(const BusMessage& message);
  bool dropped(const BusMessage& message);
  void hung_up(std::string_view id);

  void notify(Number number, Transfer& transfer, int code, std::string_view phrase = {});
  void failed(Number number, const DisconnectReason& reason);
  void notified(stack::ClientTransactionId transaction);
  void conclude(Number number);
  void replaced(std::string_view id, std::string_view by, std::string_view peer) const;
  Transfer* find(Number number);
  Number of_channel(std::string_view id) const;

  Services& services_;
  Number last_ = 0;
  std::map<Number, Transfer> transfers_;
  std::unordered_map<std::uint64_t, Number> notifies_;  // by transaction
  std::vector<Bus::Subscription> handlers_;
};

}  // namespace jackfield::sip::call
