// What can be told of a request cheaply: before it is parsed, or from one header. No state.
#pragma once

#include <string_view>

#include "sip/message.h"

namespace jackfield::sip::guard {

/// The user part of an INVITE's Request-URI, as it stands in the first line of `bytes`; empty for everything else.
std::string_view invited_number(std::string_view bytes);

/// Whether the request answers a challenge for the first time: work that was taken on when the challenge was sent.
bool answers_challenge(const Message& request);

}  // namespace jackfield::sip::guard
