// Messages that make, change and end calls, and record them.
#pragma once

#include <jackfield/messages/channel_set.h>
#include <jackfield/messages/parameters.h>

namespace jackfield::messages {

inline constexpr auto kCallAnsweredParameters = with_channel_set(std::to_array<ParameterUse>({
    {&param::kDriver}, {&param::kFormats}, {&param::kMedia}, {&param::kEarlymedia}, {&param::kRinging}, {&param::kRtpForward},
    {&param::kRtpAddr}, {&param::kRtpPort}, {&param::kSdpRaw}, {&param::kReason}, {&param::kSipCallid}}));
inline constexpr MessageName kCallAnswered{
    .name = "call.answered",
    .doc = "The called leg has answered.",
    .sent_by = "the called leg",
    .result = "true: the calling leg took it; in a fork the first wins",
    .parameters = kCallAnsweredParameters};

inline constexpr ParameterUse kCallCdrParameters[] = {
    {&param::kOperation}, {&param::kTime}, {&param::kChan}, {&param::kCdrid}, {&param::kRunid}, {&param::kBillid},
    {&param::kDirection}, {&param::kStatus}, {&param::kAddress}, {&param::kCaller}, {&param::kCalled}, {&param::kCalledfull},
    {&param::kUsername}, {&param::kDuration}, {&param::kBilltime}, {&param::kRingtime}, {&param::kCdrwrite},
    {&param::kCdrwriteRegister}, {&param::kExternal}, {&param::kReason}, {&param::kCallid}, {&param::kCallStartTime}, {&param::kCallAnswerTime},
    {&param::kCallHangupTime}, {&param::kCallDuration}, {&param::kAccountcode}};
inline constexpr MessageName kCallCdr{
    .name = "call.cdr",
    .doc = "A call record: initialize, update, status, finalize, or combined.",
    .sent_by = "cdrbuild",
    .result = "ignored",
    .parameters = kCallCdrParameters,
    .broadcast = true};

inline constexpr ParameterUse kCallDropParameters[] = {
    {&param::kId}, {&param::kReason}, {&param::kCauseSip}, {&param::kReasonSip}, {&param::kCode}, {&param::kCalleduri}, {&param::kCmdAddress},
    {&param::kCmdMachine}, {&param::kCmdAdmin}};
inline constexpr MessageName kCallDrop{
    .name = "call.drop",
    .doc = "End a leg: the one named, those of a driver, or all when `id` is empty.",
    .sent_by = "the engine's channel table, consoles, scripts, timers",
    .result = "true only for exactly that channel or driver",
    .parameters = kCallDropParameters};

inline constexpr auto kCallExecuteParameters = with_channel_set(std::to_array<ParameterUse>({
    {&param::kCaller}, {&param::kCalled}, {&param::kCallername}, {&param::kCalledfull}, {&param::kAntiloop}, {&param::kDomain},
    {&param::kDevice}, {&param::kEmergency}, {&param::kIpHost}, {&param::kIpPort}, {&param::kIpTransport}, {&param::kSipUri}, {&param::kSipFrom},
    {&param::kSipTo}, {&param::kSipCallid}, {&param::kConnectionId}, {&param::kListener}, {&param::kUsername},
    {&param::kExpiredUser}, {&param::kXsipNonceAge}, {&param::kInLine}, {&param::kMedia}, {&param::kFormats},
    {&param::kRtpForward}, {&param::kRtpAddr}, {&param::kRtpPort}, {&param::kSdpRaw}, {&param::kDiverter},
    {&param::kDivertername}, {&param::kDivertReason}, {&param::kDivertPrivacy}, {&param::kDivertScreen}, {&param::kPrivacy},
    {&param::kDiversion}, {&param::kCallto}, {&param::kCalledname}, {&param::kContext}, {&param::kDriver}, {&param::kLine},
    {&param::kAccount}, {&param::kUser}, {&param::kHost}, {&param::kPort}, {&param::kOconnectionId}, {&param::kOipTransport}, {&param::kTimeout},
    {&param::kMaxcall}, {&param::kMaxpdd}, {&param::kPrack}, {&param::kIprack}, {&param::kTarget}, {&param::kDirect}, {&param::kXsipBody}, {&param::kXsipType},
    {&param::kCopyparams}, {&param::kCdrtrack}, {&param::kTrustIdentity}, {&param::kAuthorization}, {&param::kProxyAuthorization},
    {&param::kAuthname}, {&param::kPassword}, {&param::kHa1Md5}, {&param::kHa1Realm}, {&param::kContactUser}, {&param::kPassChallenge}, {&param::kForkCalltype}, {&param::kForkAutoring}, {&param::kForkAutomessage},
    {&param::kForkFake}, {&param::kForkRinger}, {&param::kForkStop}, {&param::kStopCall}, {&param::kCmdAddress},
    {&param::kCmdMachine}, {&param::kCmdAdmin}, {&param::kError, Way::out}, {&param::kReason, Way::out}, {&param::kHandlers, Way::both}}));
inline constexpr MessageName kCallExecute{
    .name = "call.execute",
    .doc = "Make the other leg of a call. The payload ChannelHandle is the leg that calls. Without one, but with `target` or `direct`, a call "
           "begins here: `callto` is called first, and the other party in his name once he has answered.",
    .sent_by = "drivers, after routing; consoles; scripts",
    .result = "true: the leg is made and connected, `peerid` and `targetid` name it (`id` and `targetid` where there was no caller); false: error and reason",
    .parameters = kCallExecuteParameters};

inline constexpr auto kCallPrerouteParameters = with_channel_set(std::to_array<ParameterUse>({
    {&param::kCaller}, {&param::kCalled}, {&param::kCallername}, {&param::kCalledfull}, {&param::kAntiloop}, {&param::kDomain},
    {&param::kDevice}, {&param::kEmergency}, {&param::kIpHost}, {&param::kIpPort}, {&param::kIpTransport}, {&param::kSipUri}, {&param::kSipFrom},
    {&param::kSipTo}, {&param::kSipCallid}, {&param::kConnectionId}, {&param::kListener}, {&param::kUsername},
    {&param::kExpiredUser}, {&param::kXsipNonceAge}, {&param::kInLine}, {&param::kMedia}, {&param::kFormats},
    {&param::kRtpForward}, {&param::kRtpAddr}, {&param::kRtpPort}, {&param::kSdpRaw}, {&param::kDiverter},
    {&param::kDivertername}, {&param::kDivertReason}, {&param::kDivertPrivacy}, {&param::kDivertScreen}, {&param::kPrivacy},
    {&param::kDiversion}, {&param::kPrerouteRegister}, {&param::kContext, Way::out}, {&param::kError, Way::out}, {&param::kReason, Way::out},
    {&param::kHandlers, Way::both}, {&param::kTraceToMsg}, {&param::kDryRun}}));
inline constexpr MessageName kCallPreroute{
    .name = "call.preroute",
    .doc = "Before a call is routed: where does it belong?",
    .sent_by = "drivers",
    .result = "the return value `-` drops the call; false is fine",
    .parameters = kCallPrerouteParameters};

inline constexpr auto kCallProgressParameters = with_channel_set(std::to_array<ParameterUse>({
    {&param::kDriver}, {&param::kFormats}, {&param::kMedia}, {&param::kEarlymedia}, {&param::kRinging}, {&param::kRtpForward},
    {&param::kRtpAddr}, {&param::kRtpPort}, {&param::kSdpRaw}, {&param::kReason}, {&param::kSipCallid}}));
inline constexpr MessageName kCallProgress{
    .name = "call.progress",
    .doc = "The called leg has something to be heard, or news.",
    .sent_by = "the called leg",
    .result = "true: the calling leg took it",
    .parameters = kCallProgressParameters};

inline constexpr auto kCallRingingParameters = with_channel_set(std::to_array<ParameterUse>({
    {&param::kDriver}, {&param::kFormats}, {&param::kMedia}, {&param::kEarlymedia}, {&param::kRinging}, {&param::kRtpForward},
    {&param::kRtpAddr}, {&param::kRtpPort}, {&param::kSdpRaw}, {&param::kReason}, {&param::kSipCallid}}));
inline constexpr MessageName kCallRinging{
    .name = "call.ringing",
    .doc = "The called leg rings.",
    .sent_by = "the called leg",
    .result = "true: the calling leg took it",
    .parameters = kCallRingingParameters};

inline constexpr auto kCallRouteParameters = with_channel_set(std::to_array<ParameterUse>({
    {&param::kCaller}, {&param::kCalled}, {&param::kCallername}, {&param::kCalledfull}, {&param::kAntiloop}, {&param::kDomain},
    {&param::kDevice}, {&param::kEmergency}, {&param::kIpHost}, {&param::kIpPort}, {&param::kIpTransport}, {&param::kSipUri}, {&param::kSipFrom},
    {&param::kSipTo}, {&param::kSipCallid}, {&param::kConnectionId}, {&param::kListener}, {&param::kUsername},
    {&param::kExpiredUser}, {&param::kXsipNonceAge}, {&param::kInLine}, {&param::kAuthorization}, {&param::kProxyAuthorization}, {&param::kMedia}, {&param::kFormats},
    {&param::kRtpForward}, {&param::kRtpAddr}, {&param::kRtpPort}, {&param::kSdpRaw}, {&param::kDiverter},
    {&param::kDivertername}, {&param::kDivertReason}, {&param::kDivertPrivacy}, {&param::kDivertScreen}, {&param::kPrivacy},
    {&param::kDiversion}, {&param::kContext}, {&param::kRouteType}, {&param::kReason}, {&param::kRouteRegfile}, {&param::kRouteRegister},
    {&param::kDriver, Way::out}, {&param::kCallto, Way::out}, {&param::kError, Way::out}, {&param::kRedirect, Way::out},
    {&param::kTimeout, Way::out}, {&param::kMaxcall, Way::out}, {&param::kMaxpdd, Way::out}, {&param::kPrack, Way::out},
    {&param::kIprack, Way::out}, {&param::kLine, Way::out},
    {&param::kHandlers, Way::both}, {&param::kTraceToMsg}, {&param::kDryRun}}));
inline constexpr MessageName kCallRoute{
    .name = "call.route",
    .doc = "Where does this call go?",
    .sent_by = "drivers, for each new call; modules that route a second time",
    .result = "true and the target, `fork` with callto.1 …, or `-` with error and reason",
    .parameters = kCallRouteParameters};

inline constexpr auto kCallUpdateParameters = with_channel_set(std::to_array<ParameterUse>({
    {&param::kOperation}, {&param::kMethod}, {&param::kRtpForward}, {&param::kRtpAddr}, {&param::kRtpPort}, {&param::kSdpRaw}, {&param::kFormats},
    {&param::kMedia}, {&param::kAudioChanged}, {&param::kMute}, {&param::kError, Way::out}, {&param::kReason, Way::out}}));
inline constexpr MessageName kCallUpdate{
    .name = "call.update",
    .doc = "The session changes, or a call record is asked to change.",
    .sent_by = "drivers, cdrbuild",
    .result = "true: the other leg took it; false with error (pending, nocall)",
    .parameters = kCallUpdateParameters};

}  // namespace jackfield::messages
