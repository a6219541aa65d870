// What passes through a call beside its session: digits and whatever else INFO carries (RFC 2976), and text (MESSAGE, RFC 3428). From
// the far end it becomes chan.dtmf or chan.text, and the peer leg sends it on as it came; scripts may send the same messages to a leg.
#pragma once

#include "call/services.h"

namespace jackfield::sip::call {

/// INFO: a digit is chan.dtmf and answered at once; another body is chan.text with xsip_body and xsip_type, and answered with what
/// became of it; without a body it only asks whether we are there.
void take_info(Leg& leg, const Request& request);
/// MESSAGE within the dialog: chan.text, answered with what became of it.
void take_text(Leg& leg, const Request& request);

/// chan.dtmf to the far end: the body that came with it, else one INFO for each digit of `text`. False: nothing to send, or the far
/// end does not take INFO.
bool send_digits(Leg& leg, const BusMessage& message);
/// chan.text to the far end, as the method it came by; MESSAGE where it came from elsewhere.
bool send_text(Leg& leg, const BusMessage& message);

}  // namespace jackfield::sip::call
