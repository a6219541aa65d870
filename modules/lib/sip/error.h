// What is wrong with a text that was parsed: a reason fit for a SIP reason phrase, and where.
#pragma once

#include <cstddef>
#include <string_view>

namespace jackfield::sip {

struct Error {
  std::string_view reason;    ///< static text, e.g. "Bad CSeq header"
  std::size_t offset = 0;     ///< byte in the message (or in the text that was parsed)
};

}  // namespace jackfield::sip
