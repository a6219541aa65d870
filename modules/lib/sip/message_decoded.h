// Private to message*.cpp.
#pragma once

#include <array>
#include <string>

#include "sip/message.h"

namespace jackfield::sip {

/// What typed access remembers. Kept when the message object is used again; `known` says what belongs to the current message.
struct Message::Decoded {
  enum Slot { request_uri, via, from, to, cseq, contacts, other, slots };

  unsigned known = 0;
  tl::expected<Uri, Error> request_uri_value;
  tl::expected<Via, Error> via_value;
  tl::expected<NameAddr, Error> from_value, to_value;
  tl::expected<CSeq, Error> cseq_value;
  tl::expected<std::vector<Contact>, Error> contacts_value;
  std::array<std::string, slots> reasons;  ///< texts of errors, which name the header

  bool first_time(Slot slot) {
    const bool first = (known & 1u << slot) == 0;
    known |= 1u << slot;
    return first;
  }
};

}  // namespace jackfield::sip
