// The reliable provisional responses of one INVITE that we answer (RFC 3262 §3): one at a time is on its way, repeated from T1 on
// with doubling intervals until its PRACK comes or 64*T1 have passed; the others wait for it. Sends nothing itself. Owned by an
// incoming leg.
#pragma once

#include <jackfield/clock.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sip/dialog_headers.h"

namespace jackfield::sip::call {

class ReliableProvisional {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  struct Response {
    std::string tag;  ///< its To tag: each has a sequence of its own, as each would from a phone behind a proxy
    std::uint32_t rseq;
    int code;
    std::string body;
    Headers headers = {};  ///< further ones, by name
  };
  enum class Due : std::uint8_t { repeat, give_up };

  explicit ReliableProvisional(Duration t1) : t1_(t1) {}

  /// True: it is to be sent now; else it waits.
  bool add(Response response);
  bool empty() const { return queue_.empty(); }
  bool full() const { return queue_.size() >= kMost; }
  /// The one on its way. Not when empty().
  const Response& current() const { return queue_.front(); }
  /// A 2xx has to wait: a description of ours is not acknowledged (§3, §5).
  bool holds_answer() const { return !queue_.empty() && !queue_.front().body.empty(); }
  /// Until timer() is to be called.
  Duration wait() const { return interval_; }
  Due timer();
  /// Takes the one that a PRACK in the dialog `tag` acknowledges; the next becomes current() and is to be sent. Nothing: 481.
  std::optional<Response> acknowledge(std::string_view tag, const RAck& rack, std::uint32_t invite_cseq);
  /// A final response leaves: what waits is not sent any more.
  void clear() { queue_.clear(); }

 private:
  void begin();

  static constexpr int kLife = 64;  // times T1
  static constexpr std::size_t kMost = 16;
  std::deque<Response> queue_;
  Duration t1_, interval_{}, age_{};
};

}  // namespace jackfield::sip::call
