// What is wrong with a text that was parsed: a reason fit for a SIP reason phrase, and where.
#pragma once

#include <cstddef>
#include <string_view>

namespace jackfield::sip {

struct Error {
  std::string_view reason;    ///< e.g. "Bad CSeq header"; static, or (from a Message) alive until that message is parsed anew or gone
  std::size_t offset = 0;     ///< byte in the message (or in the text that was parsed)
  int status = 400;           ///< the response that fits: 400, 505 (another SIP version), 513 (over a limit)
};

}  // namespace jackfield::sip
