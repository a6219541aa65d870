// Redirections by who is called: a 3xx (RFC 3261 §8.1.3.4, §21.3). By key it is followed, as a new call of the user of the leg that
// sent it (D6), passed on to the caller, or refused. One that is followed holds the calling channel while its other side is gone: the
// contacts are routed and called one after the other until one answers; then, or when none is left, the call is as any other. Where
// the first party of a call that was begun here is redirected there is no caller: a channel `redirect/N` stands in for him, and who
// answers takes the call on in the first one's place. Owned by Calls; engine thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "call/onward.h"
#include "call/redirect_targets.h"
#include "call/services.h"

#include <jackfield/bus.h>
#include <jackfield/channel.h>

namespace jackfield::sip::call {

class OutgoingLeg;

class Redirects {
 public:
  explicit Redirects(Services& services);
  ~Redirects();
  Redirects(const Redirects&) = delete;

  /// Installs its handlers of chan.disconnected, call.answered, call.drop and chan.hangup.
  void start();
  void stop();
  std::size_t size() const { return redirects_.size(); }

  /// `leg` was answered with a 3xx and is about to leave its caller, who hears what this gives. `headers`: those its INVITE carried
  /// beside the usual ones, which hold for the calls that follow.
  DisconnectReason redirected(OutgoingLeg& leg, const Message& response, const std::vector<std::pair<std::string, std::string>>& headers,
                              bool anonymous);

 private:
  /// The call of one channel, which waits for whom it is redirected to. The attempt tells a routing that was overtaken.
  struct Redirect {
    std::uint64_t attempt = 0;
    RedirectTargets targets = {};
    std::vector<std::pair<std::string, std::string>> parameters = {};  ///< of the calls that follow

    // Of a call that was begun here.
    std::unique_ptr<Channel> stand_in = {};
    std::unique_ptr<Onward> onward = {};  ///< what its first party was to go on to
    std::string first = {}, answered_by = {};
    TimerHandle limit = {};
  };
  using Table = std::map<std::string, Redirect, std::less<>>;  // by the calling channel
  class NextCall;

  void follow(Redirect& redirect, const OutgoingLeg& leg, const Message& response, const std::vector<std::pair<std::string, std::string>>& headers, bool anonymous);
  void follow_first_party(OutgoingLeg& leg, const Message& response, const std::vector<std::pair<std::string, std::string>>& headers, bool anonymous);
  /// Goes on to the next target. False: there is none.
  bool go_on(std::string_view channel);
  void failed(const std::string& channel, const DisconnectReason& reason);
  Redirect take(Table::iterator found);
  Redirect* find(std::string_view channel, std::uint64_t attempt);
  /// Nobody is to wait forever for a route that never says anything.
  void limit_waiting(std::string_view channel, Duration limit);
  void overdue(std::uint64_t attempt);

  bool disconnected(const BusMessage& message);
  /// The one whose channel a call.answered is for.
  Table::iterator answered_by(const BusMessage& message);
  /// The stand-in has done its part.
  void part_from(Table::value_type& redirect, std::string_view answered_by);
  bool dropped(const BusMessage& message);
  /// Who answered in place of the first party stands alone now, and goes on.
  bool take_on(Redirect redirect);
  void hung_up(const BusMessage& message);

  Services& services_;
  TimerSinkId timers_;
  std::uint64_t last_ = 0;
  Table redirects_;
  std::vector<Bus::Subscription> handlers_;
};

}  // namespace jackfield::sip::call
