// What the far end of a leg says it can do. Learned from each message of the dialog that says it; the last word counts.
#pragma once

#include "sip/message.h"

namespace jackfield::sip::call {

struct FarEnd {
  bool update = false;    ///< its Allow lists UPDATE (RFC 3311 §4); who says nothing has none
  bool info = true;       ///< INFO is older than Allow: only a list without it says no
  bool message = true;    ///< so is MESSAGE, to all but the strictest
  bool timer = false;     ///< RFC 4028
  bool reliable = false;  ///< 100rel: provisional responses that are acknowledged (RFC 3262)
  bool reliable_only = false;  ///< and no others: its INVITE requires them

  void learn(const Message& message) {
    if (message.has(HeaderId::allow)) {
      update = message.lists(HeaderId::allow, "UPDATE");
      info = message.lists(HeaderId::allow, "INFO");
      this->message = message.lists(HeaderId::allow, "MESSAGE");
    }
    const bool says = message.has(HeaderId::supported) || message.has(HeaderId::require);
    if (!says) return;
    const auto has = [&](std::string_view extension) {
      return message.lists(HeaderId::supported, extension) || message.lists(HeaderId::require, extension);
    };
    timer = has("timer");
    reliable = has("100rel");
    if (message.is_request() && message.method() == Method::invite) reliable_only = message.lists(HeaderId::require, "100rel");
  }
};

}  // namespace jackfield::sip::call
