// Headers that routing asks for: parameters `osip_NAME` become header NAME of what a leg sends (COMPAT §12). Pure.
#pragma once

#include <jackfield/message.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sip/message.h"
#include "sip/writer.h"

namespace jackfield::sip::call {

using OwnHeaders = std::vector<std::pair<std::string, std::string>>;

/// No more than these of one message; what is longer is left out.
inline constexpr std::size_t kMaxOwnHeaders = 64, kMaxOwnValue = 2048;

/// Without what the stack and the dialog write, and names that are no header's. The message's `osip-prefix` may name another prefix.
OwnHeaders own_headers(const jackfield::Message& message);
OwnHeaders own_headers(const jackfield::Message& message, std::string_view prefix);

void write(Writer& writer, const OwnHeaders& headers);

}  // namespace jackfield::sip::call
