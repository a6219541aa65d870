// The session timer of one leg (RFC 4028): what the two ends agree on, and when the session is to be refreshed or has ended. Each leg
// has its own, for a B2BUA is an end of both dialogs. No I/O and no clock: time is given. Owned by a leg.
#pragma once

#include <jackfield/clock.h>

#include <cstdint>
#include <optional>

#include "sip/dialog_headers.h"
#include "sip/message.h"
#include "sip/writer.h"

namespace jackfield::sip::call {

class SessionTimer {
 public:
  /// What we ask for, in seconds. An interval of 0: nothing of our own accord.
  struct Terms {
    std::uint32_t interval = 1800, minimum = 90;
  };
  enum class Role : std::uint8_t { none, refresher, watcher };
  enum class Due : std::uint8_t { refresh, end };

  // The far end asked (INVITE, re-INVITE or UPDATE).
  /// The Min-SE to refuse the request with (422), when its interval is shorter than ours may be (§9).
  static std::optional<std::uint32_t> too_brief(const Message& request, const Terms& terms);
  /// Decides what a 2xx will say. Nothing holds before answered().
  void asked(const Message& request, const Terms& terms);
  /// Session-Expires and Require of that 2xx.
  void write_answer(Writer& writer) const;
  /// The 2xx left.
  void answered(MonoTime now);

  // We asked.
  /// Session-Expires and Min-SE of a request that begins or refreshes the session.
  void write_request(Writer& writer, const Terms& terms) const;
  void accepted(const Message& response, const Terms& terms, MonoTime now);
  /// A 422: true when a longer interval is to be asked for, which write_request then does (§7.3).
  bool raise(const Message& response, const Terms& terms);
  /// A refresh was refused by somebody who is there; it is sent again after `wait`.
  void refused(MonoTime now, Duration wait);
  /// A refresh could not be sent now; it is after `wait`.
  void postponed(MonoTime now, Duration wait);

  /// Until due() is to be called; nothing: never.
  std::optional<Duration> wait(MonoTime now) const;
  Due due();

  Role role() const { return role_; }
  std::uint32_t interval() const { return interval_; }

 private:
  struct Answer {
    std::uint32_t interval = 0;  ///< 0: the 2xx says nothing
    Role role = Role::none;
    bool required = false, alone = false;
  };
  void confirm(MonoTime now);
  MonoTime expiry() const;

  Role role_ = Role::none;
  bool alone_ = false;   // the far end has no timer: only we care (D16)
  bool ending_ = false;  // what is due next is the end
  std::uint32_t interval_ = 0, minimum_ = 0;  // as agreed; the highest Min-SE heard
  MonoTime confirmed_{}, next_{};
  Answer answer_;
};

}  // namespace jackfield::sip::call
