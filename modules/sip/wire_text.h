// SIP messages as the flight recorder needs them: what one is about, without parsing it, and how one is shown without its secrets. Pure.
#pragma once

#include <string>
#include <string_view>

#include <jackfield/recorder.h>

namespace jackfield::sip {

/// What a message is about, told from its first lines without parsing it.
struct WirePeek {
  Recorded kind = Recorded::nothing;
  std::string_view call_id;
};
WirePeek peek(std::string_view bytes);

/// In lines that end in LF, headers unfolded; digest responses, credentials of other schemes, passwords in URIs and keys of media are masked.
std::string shown_message(std::string_view bytes);

}  // namespace jackfield::sip
