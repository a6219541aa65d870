// The typed values of headers that speak of a call under way: reliable provisional responses (RFC 3262), session timers (RFC 4028)
// and why something ended (RFC 3326). All views point into the header's text. Min-SE, RSeq and the delta-seconds of Retry-After are
// plain numbers: parse_leading_number().
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <tl/expected.hpp>

#include "sip/headers.h"

namespace jackfield::sip {

/// `RAck: 776656 1 INVITE`: which provisional response a PRACK acknowledges (RFC 3262 §7.2).
struct RAck {
  std::uint32_t rseq = 0;  ///< of the response; never 0
  std::uint32_t cseq = 0;  ///< of the request it answered
  Method method = Method::other;
};

/// Who refreshes a session: the side that sent the request, or the one that answered it.
enum class Refresher : std::uint8_t { unsaid, uac, uas };

/// `Session-Expires: 1800;refresher=uac` (RFC 4028 §4).
struct SessionExpires {
  std::uint32_t seconds = 0;
  Refresher refresher = Refresher::unsaid;
};

/// One value of Reason: `Q.850;cause=16;text="Normal call clearing"` (RFC 3326 §2).
struct ReasonValue {
  std::string_view protocol;
  std::optional<std::uint32_t> cause;  ///< none, or none that is a number
  std::string_view text;               ///< without its quotes, escapes kept
};

tl::expected<RAck, Error> parse_rack(std::string_view text);
tl::expected<SessionExpires, Error> parse_session_expires(std::string_view text);
tl::expected<ReasonValue, Error> parse_reason(std::string_view text);
/// The number a value begins with; parameters or a comment may follow: Min-SE, Retry-After, RSeq.
tl::expected<std::uint32_t, Error> parse_leading_number(std::string_view text);

}  // namespace jackfield::sip
