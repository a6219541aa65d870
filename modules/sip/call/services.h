// What a leg works with. Owned by Calls, which outlives every leg; coroutines hold it weakly and look legs up again after each
// co_await.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "call/leg_table.h"
#include "core.h"

namespace jackfield::sip::call {

/// A message on the bus, where sip::Message is one on the wire.
using BusMessage = jackfield::Message;

/// A request within a dialog; the transaction is set once it was begun.
struct Request {
  const Message& message;
  stack::FlowId flow;
  stack::ServerTransactionId transaction = {};
};

class Redirects;
class Referrals;
class Transfers;

enum class MediaStep : std::uint8_t { offer, answer };

struct Services {
  Core& core;
  Admission& admission;
  const BindingTable& bindings;
  TimerSinkId timers = 0;
  LegTable legs = {};
  Transfers* transfers = nullptr;  ///< of Calls, as these
  Redirects* redirects = nullptr;
  Referrals* referrals = nullptr;
  std::weak_ptr<Services> self = {};

  /// The leg that is this channel; null for channels of other drivers.
  Leg* leg_of(std::string_view channel) const;
  bool is_full() const;  ///< maxchans is reached

  /// The transaction of a request that waits for its answer; it may have begun already.
  stack::ServerTransactionId begin(const Request& request);
  /// Answers a request within a dialog and keeps the answer for its retransmissions.
  void reply(const Request& request, int code, std::string_view phrase = {}, const stack::Transactions::ExtraHeaders& extra = {});

  /// Asks the media modules what `leg` is to send in place of `sdp`, and calls `done` with that, at once when none handles it. Not
  /// called when the leg is gone by then. An error from a module comes as nothing.
  using MediaDone = std::function<void(Leg& leg, std::optional<std::string> sdp)>;
  void media(Leg& leg, MediaStep step, std::string_view sdp, MediaDone done);
  /// Tells the media modules that the leg needs them no more.
  void release_media(const Leg& leg, std::string_view reason);

  /// A 2xx to an INVITE that nobody wants: a second branch's, or one after the call ended. ACK and BYE from the response alone
  /// (RFC 3261 §13.2.2.4).
  void refuse_answer(const Message& response, const stack::FlowId& flow);
};

/// The bodies we read, for Accept.
inline constexpr std::string_view kAccept = "application/sdp, multipart/mixed";

/// The methods a dialog of ours takes, for Allow.
inline constexpr std::string_view kAllow = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, REFER, PRACK, UPDATE, MESSAGE";

/// The extensions a dialog of ours takes, for Require of those who need them; and what our messages offer (Supported): reliable
/// provisional responses only where they are wanted.
inline constexpr std::string_view kExtensions[] = {"100rel", "timer"};
inline constexpr std::string_view kSupported = "replaces, timer";
inline constexpr std::string_view kSupportedReliably = "100rel, replaces, timer";

}  // namespace jackfield::sip::call
