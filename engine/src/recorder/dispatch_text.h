// A dispatch as people read it: who was asked, in order, what each answered, changed and noted, and how long it waited. Pure.
//
//   call.route  handled -> sip/sip:102@192.0.2.7  after 12 ms
//       caller=101 called=9102 …
//     regexroute:100  passed
//       regexroute.conf:7 [default] ^9\(.*\)$=;called=\1
//       called: 9102 -> 102
//     regfile:110  handled
//       returns sip/sip:102@192.0.2.7
#pragma once

#include "recorder/record.h"

#include <map>
#include <string>
#include <string_view>

namespace jackfield::recorder {

/// What a reader knows already of a conversation: parameters that are as they were are not said again.
using Known = std::map<std::string, std::string, std::less<>>;

/// `known`, where there is one, is brought up to what the message said in the end. Lines that end in LF.
void append_dispatch(std::string& out, const ReadDispatch& dispatch, Known* known = nullptr);

/// Without bytes that mean something to a terminal, in quotes where it has blanks.
std::string shown(std::string_view name, std::string_view value, std::size_t length);

}  // namespace jackfield::recorder
