// The session description a message carries: its body, or one part of a multipart body (RFC 3261 §7.4, RFC 5621), and what routing
// wants to know of it. No I/O.
#pragma once

#include <jackfield/message.h>

#include <optional>
#include <string>
#include <string_view>

#include "sip/message.h"

namespace jackfield::sip::call {

/// A view into the message; empty: it carries none. A body without Content-Type is taken for one.
std::string_view description_of(const Message& message);

/// True when there is a body that we cannot read and that its sender does not call optional (§8.2.3, §20.11): to be refused with 415.
bool has_unknown_body(const Message& message);

/// Adds what COMPAT §13 says about media: media, rtp_forward, sdp_raw, and of the first audio stream formats, rtp_addr and rtp_port.
void describe_media(jackfield::Message& message, std::string_view description);

/// An answer to `offer` that takes its plain audio streams and lets them stand still, until there is somebody to talk to (RFC 3264
/// §6, RFC 3725 §4.3); streams of other kinds are refused. Nothing when the offer does not parse or has no such stream.
std::optional<std::string> held_answer(std::string_view offer);

/// An offer of one plain audio stream that stands still, for a far end that must be offered something before there is anybody to
/// talk to.
std::string held_offer();

// One far end's description for another, whose session may have more streams than it (RFC 3264 §8: their number never falls).
std::size_t stream_count(std::string_view description);
/// The offer with the streams that `session` has beyond its own, refused.
std::string with_streams_of(std::string_view offer, std::string_view session);
/// The answer without those that were added to the offer: its first `count` streams.
std::string first_streams(std::string_view answer, std::size_t count);

}  // namespace jackfield::sip::call
