// Messages about one channel: its life, its peer, and what passes through it.
#pragma once

#include <jackfield/messages/channel_set.h>
#include <jackfield/messages/parameters.h>

namespace jackfield::messages {

inline constexpr ParameterUse kChanConnectParameters[] = {
    {&param::kId}, {&param::kTargetid}, {&param::kIdPeer}, {&param::kTargetidPeer}, {&param::kReason}};
inline constexpr MessageName kChanConnect{
    .name = "chan.connect",
    .doc = "Connect two channels.",
    .sent_by = "scripts, modules",
    .result = "true: they are connected",
    .parameters = kChanConnectParameters};

inline constexpr auto kChanConnectedParameters = with_channel_set(std::to_array<ParameterUse>({
    {&param::kReason}}));
inline constexpr MessageName kChanConnected{
    .name = "chan.connected",
    .doc = "This channel now has a peer.",
    .sent_by = "the engine's channel table",
    .result = "ignored",
    .parameters = kChanConnectedParameters};

inline constexpr auto kChanControlParameters = with_channel_set(std::to_array<ParameterUse>({
    {&param::kComponent}, {&param::kOperation}, {&param::kTimeout}, {&param::kMaxcall}, {&param::kMaxpdd},
    {&param::kCmdAddress}, {&param::kCmdMachine}, {&param::kCmdAdmin},
    {&param::kRetVal, Way::out}, {&param::kOperationStatus, Way::out}, {&param::kSipUri, Way::out}, {&param::kSipFrom, Way::out},
    {&param::kSipTo, Way::out}, {&param::kSipCallid, Way::out}, {&param::kLocalCseq, Way::out}, {&param::kRemoteCseq, Way::out}}));
inline constexpr MessageName kChanControl{
    .name = "chan.control",
    .doc = "An operation on a live channel.",
    .sent_by = "consoles, scripts",
    .result = "true: it was done or refused by the channel it was for; retVal says which",
    .parameters = kChanControlParameters};

inline constexpr auto kChanDisconnectedParameters = with_channel_set(std::to_array<ParameterUse>({
    {&param::kReason}, {&param::kError}, {&param::kReroute}, {&param::kRedirect}, {&param::kCalled}, {&param::kCalleduri}, {&param::kCauseSip},
    {&param::kReasonSip}, {&param::kCode}, {&param::kContext}}));
inline constexpr MessageName kChanDisconnected{
    .name = "chan.disconnected",
    .doc = "This channel lost its peer.",
    .sent_by = "the engine's channel table, fork",
    .result = "true: somebody took the call on; else it is dropped with `reason`",
    .parameters = kChanDisconnectedParameters};

inline constexpr auto kChanDtmfParameters = with_channel_set(std::to_array<ParameterUse>({
    {&param::kText}, {&param::kDetected}, {&param::kDuration}, {&param::kSequence}, {&param::kXsipBody}, {&param::kXsipType}}));
inline constexpr MessageName kChanDtmf{
    .name = "chan.dtmf",
    .doc = "A digit was pressed.",
    .sent_by = "drivers, media modules, scripts",
    .result = "true: the other leg took it",
    .parameters = kChanDtmfParameters};

inline constexpr auto kChanHangupParameters = with_channel_set(std::to_array<ParameterUse>({
    {&param::kReason}, {&param::kCauseSip}, {&param::kReasonSip}, {&param::kCaller}, {&param::kCalled}, {&param::kCalleduri}, {&param::kUsername}}));
inline constexpr MessageName kChanHangup{
    .name = "chan.hangup",
    .doc = "This channel is gone.",
    .sent_by = "drivers",
    .result = "ignored",
    .parameters = kChanHangupParameters};

inline constexpr ParameterUse kChanLocateParameters[] = {
    {&param::kId}};
inline constexpr MessageName kChanLocate{
    .name = "chan.locate",
    .doc = "Find a channel by its id.",
    .sent_by = "anyone",
    .result = "true: the payload ChannelHandle names it",
    .parameters = kChanLocateParameters};

inline constexpr ParameterUse kChanMasqueradeParameters[] = {
    {&param::kId}, {&param::kMessage}, {&param::kCompleteMinimal}};
inline constexpr MessageName kChanMasquerade{
    .name = "chan.masquerade",
    .doc = "A message sent in the name of a channel: it is renamed to `message` and completed with the channel's parameters.",
    .sent_by = "scripts",
    .result = "that of the message it becomes",
    .parameters = kChanMasqueradeParameters};

inline constexpr ParameterUse kChanNotifyParameters[] = {
    {&param::kId}, {&param::kTargetid}, {&param::kReason}};
inline constexpr MessageName kChanNotify{
    .name = "chan.notify",
    .doc = "Something a channel was asked to tell about has happened.",
    .sent_by = "media modules",
    .result = "true: somebody was waiting for it",
    .parameters = kChanNotifyParameters};

inline constexpr ParameterUse kChanReplacedParameters[] = {
    {&param::kId}, {&param::kNewid}, {&param::kPeerid}};
inline constexpr MessageName kChanReplaced{
    .name = "chan.replaced",
    .doc = "One channel takes the place of another.",
    .sent_by = "fork, transfer",
    .result = "ignored",
    .parameters = kChanReplacedParameters,
    .broadcast = true};

inline constexpr auto kChanStartupParameters = with_channel_set(std::to_array<ParameterUse>({
    {&param::kCaller}, {&param::kCalled}, {&param::kCallername}, {&param::kCalledfull}, {&param::kCallto}, {&param::kUsername},
    {&param::kConnectionId}, {&param::kSipCallid}, {&param::kInLine}, {&param::kDevice}, {&param::kDomain}, {&param::kIpHost},
    {&param::kIpPort}, {&param::kIpTransport}, {&param::kCdrtrack}, {&param::kCdrcreate}, {&param::kCdrwrite}}));
inline constexpr MessageName kChanStartup{
    .name = "chan.startup",
    .doc = "A new channel.",
    .sent_by = "drivers",
    .result = "ignored",
    .parameters = kChanStartupParameters};

inline constexpr auto kChanTextParameters = with_channel_set(std::to_array<ParameterUse>({
    {&param::kText}, {&param::kMethod}, {&param::kXsipBody}, {&param::kXsipType}}));
inline constexpr MessageName kChanText{
    .name = "chan.text",
    .doc = "Text within a call, or another body that came in INFO: then `method` says so.",
    .sent_by = "drivers, scripts",
    .result = "true: the other leg took it",
    .parameters = kChanTextParameters};

}  // namespace jackfield::messages
