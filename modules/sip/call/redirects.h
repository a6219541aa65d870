// Redirections by who is called: a 3xx (RFC 3261 §8.1.3.4, §21.3). By key it is followed, as a new call of the user of the leg that
// sent it (D6), passed on to the caller, or refused. One that is followed holds the calling channel while its other side is gone: the
// contacts are routed and called one after the other until one answers; then, or when none is left, the call is as any other. Owned by
// Calls; engine thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "call/redirect_targets.h"
#include "call/services.h"

#include <jackfield/bus.h>
#include <jackfield/channel.h>

namespace jackfield::sip::call {

class OutgoingLeg;

class Redirects {
 public:
  explicit Redirects(Services& services) : services_(services) {}
  ~Redirects();
  Redirects(const Redirects&) = delete;

  void start();
  void stop();
  std::size_t size() const { return redirects_.size(); }

  /// `leg` was answered with a 3xx and is about to leave its caller, who hears what this gives. `headers`: those its INVITE carried
  /// beside the usual ones, which hold for the calls that follow.
  DisconnectReason redirected(const OutgoingLeg& leg, const Message& response, const std::vector<std::pair<std::string, std::string>>& headers,
                              bool anonymous);

 private:
  /// The call of one channel, which waits for whom it is redirected to. The attempt tells a routing that was overtaken.
  struct Redirect {
    std::uint64_t attempt = 0;
    RedirectTargets targets = {};
    std::vector<std::pair<std::string, std::string>> parameters = {};  ///< of the calls that follow
  };

  void follow(const OutgoingLeg& leg, const Message& response, const std::vector<std::pair<std::string, std::string>>& headers, bool anonymous);
  /// Goes on to the next target. False: there is none.
  bool go_on(std::string_view channel);
  /// Through call.preroute, call.route and call.execute.
  static Task<> route(std::weak_ptr<Services> weak, Redirects* redirects, std::string channel, std::uint64_t attempt, BusMessage message);
  void failed(const std::string& channel, const DisconnectReason& reason);
  Redirect* find(std::string_view channel, std::uint64_t attempt);
  /// A calling leg of ours is not to wait forever for a route that never says anything.
  void limit_waiting(std::string_view channel, Duration limit) const;

  bool disconnected(const BusMessage& message);
  void hung_up(const BusMessage& message);

  Services& services_;
  std::uint64_t last_ = 0;
  std::map<std::string, Redirect, std::less<>> redirects_;  // by the calling channel
  std::vector<Bus::Subscription> handlers_;
};

}  // namespace jackfield::sip::call
