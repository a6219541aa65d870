// Messages by which a media module steps into the path of a session description.
#pragma once

#include <jackfield/messages/parameters.h>

namespace jackfield::messages {

inline constexpr ParameterUse kMediaAnswerParameters[] = {
    {&param::kId}, {&param::kBillid}, {&param::kPeerid}, {&param::kSipCallid}, {&param::kFromTag}, {&param::kToTag},
    {&param::kDirection}, {&param::kIpHost}, {&param::kIpTransport}, {&param::kInLine}, {&param::kMediaFar},
    {&param::kSdpRaw, Way::both}, {&param::kError, Way::out}, {&param::kReason, Way::out}};
inline constexpr MessageName kMediaAnswer{
    .name = "media.answer",
    .doc = "A leg is about to send this answer to the far side; a media module may put its own in place.",
    .sent_by = "sip",
    .result = "true: `sdp_raw` is what to send; false: it goes unchanged",
    .parameters = kMediaAnswerParameters};

inline constexpr ParameterUse kMediaOfferParameters[] = {
    {&param::kId}, {&param::kBillid}, {&param::kPeerid}, {&param::kSipCallid}, {&param::kFromTag}, {&param::kToTag},
    {&param::kDirection}, {&param::kIpHost}, {&param::kIpTransport}, {&param::kInLine}, {&param::kMediaFar},
    {&param::kSdpRaw, Way::both}, {&param::kError, Way::out}, {&param::kReason, Way::out}};
inline constexpr MessageName kMediaOffer{
    .name = "media.offer",
    .doc = "A leg is about to send this offer to the far side; a media module may put its own in place.",
    .sent_by = "sip",
    .result = "true: `sdp_raw` is what to send; false: it goes unchanged",
    .parameters = kMediaOfferParameters};

inline constexpr ParameterUse kMediaReleaseParameters[] = {
    {&param::kId}, {&param::kBillid}, {&param::kPeerid}, {&param::kSipCallid}, {&param::kFromTag}, {&param::kToTag},
    {&param::kReason}};
inline constexpr MessageName kMediaRelease{
    .name = "media.release",
    .doc = "The leg is gone and its media with it.",
    .sent_by = "sip",
    .result = "ignored",
    .parameters = kMediaReleaseParameters};

}  // namespace jackfield::messages
