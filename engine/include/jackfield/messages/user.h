// Messages about users: who they are and where they are reached.
#pragma once

#include <jackfield/messages/parameters.h>

namespace jackfield::messages {

inline constexpr ParameterUse kUserAuthParameters[] = {
    {&param::kProtocol}, {&param::kUsername}, {&param::kRealm}, {&param::kNonce}, {&param::kResponse}, {&param::kMethod},
    {&param::kUri}, {&param::kIpHost}, {&param::kIpPort}, {&param::kIpTransport}, {&param::kAddress}, {&param::kConnectionId},
    {&param::kConnectionReliable}, {&param::kListener}, {&param::kNewcall}, {&param::kDomain}, {&param::kDevice},
    {&param::kId}, {&param::kNumber, Way::both}, {&param::kCaller}, {&param::kCalled}, {&param::kBillid}, {&param::kExpires},
    {&param::kSipUri}, {&param::kSipFrom}, {&param::kSipTo}, {&param::kSipCallid}, {&param::kAuthRegfile}, {&param::kAuthRegister},
    {&param::kHa1Md5, Way::out}, {&param::kHa1Sha256, Way::out}, {&param::kHa1Realm, Way::out}, {&param::kError, Way::out},
    {&param::kReason, Way::out}, {&param::kCode, Way::out}, {&param::kAlternatives, Way::out},
    {&param::kMaxContacts, Way::out}, {&param::kForeignContacts, Way::out}, {&param::kDryRun}};
inline constexpr MessageName kUserAuth{
    .name = "user.auth",
    .doc = "Who is this, and what is the password? Asked without `username` when a request has no usable credentials.",
    .sent_by = "sip, before anything is done for a request",
    .result = "true and the clear password, or the HA1s as parameters; true and an empty return value: accepted; `-`: refused, with error and reason. Other parameters go with what follows",
    .parameters = kUserAuthParameters};

inline constexpr ParameterUse kUserAuthfailParameters[] = {
    {&param::kProtocol}, {&param::kUsername}, {&param::kRealm}, {&param::kNonce}, {&param::kResponse}, {&param::kMethod},
    {&param::kUri}, {&param::kIpHost}, {&param::kIpPort}, {&param::kIpTransport}, {&param::kAddress}, {&param::kConnectionId},
    {&param::kConnectionReliable}, {&param::kListener}, {&param::kNewcall}, {&param::kDomain}, {&param::kDevice},
    {&param::kId}, {&param::kNumber}, {&param::kCaller}, {&param::kCalled}, {&param::kBillid}, {&param::kExpires},
    {&param::kSipUri}, {&param::kSipFrom}, {&param::kSipTo}, {&param::kSipCallid}, {&param::kAuthRegfile}, {&param::kAuthRegister}, {&param::kReason}};
inline constexpr MessageName kUserAuthfail{
    .name = "user.authfail",
    .doc = "Credentials were wrong: a response to a challenge of ours that was sent to that very address and port, which is thereby proved. `reason`: wrong password, unknown user.",
    .sent_by = "sip",
    .result = "ignored",
    .parameters = kUserAuthfailParameters};

inline constexpr ParameterUse kUserBindingsParameters[] = {
    {&param::kUsername}, {&param::kRealm}, {&param::kShared, Way::out}};
inline constexpr MessageName kUserBindings{
    .name = "user.bindings",
    .doc = "Asks a store for the bindings it keeps, of one user or of all. The answer is the payload StoredBindings.",
    .sent_by = "sip, at the start, for a user it does not know, and of a shared store for whoever asks what is registered",
    .result = "true: the payload holds what this store has",
    .parameters = kUserBindingsParameters};

inline constexpr ParameterUse kUserLoginParameters[] = {
    {&param::kAccount}, {&param::kOperation}, {&param::kProtocol}, {&param::kConnection}, {&param::kUsername}, {&param::kPassword},
    {&param::kAuthname}, {&param::kDescription}, {&param::kRegistrar}, {&param::kServer}, {&param::kServers}, {&param::kOutbound},
    {&param::kDomain}, {&param::kUseDomain}, {&param::kInterval}, {&param::kRetryInterval}, {&param::kIpTransport},
    {&param::kIpTransportLocalip}, {&param::kIpTransportLocalport}, {&param::kIpTransportRemoteip}, {&param::kIpTransportRemoteport},
    {&param::kLocaladdress}, {&param::kKeepalive}, {&param::kKeepaliveMethod}, {&param::kQualify}, {&param::kMatchPort},
    {&param::kMatchUser}, {&param::kAllowed}, {&param::kOwner}, {&param::kParking}, {&param::kHoming}, {&param::kHomingInterval},
    {&param::kInviteInitialTimeout}, {&param::kInviteTotalTimeout}, {&param::kTransfer}, {&param::kRedirect}, {&param::kTrustIdentity},
    {&param::kEnabled}, {&param::kInternalaccount}, {&param::kError, Way::out}, {&param::kReason, Way::out}};
inline constexpr MessageName kUserLogin{
    .name = "user.login",
    .doc = "A connection is to be begun, changed or ended: `operation` is login or logout. With the same parameters as before nothing happens.",
    .sent_by = "accfile and register, for each of their accounts",
    .result = "true: somebody performs it; what becomes of it is told by user.notify",
    .parameters = kUserLoginParameters};

inline constexpr ParameterUse kUserNotifyParameters[] = {
    {&param::kAccount}, {&param::kProtocol}, {&param::kUsername}, {&param::kDomain}, {&param::kRegistered}, {&param::kReason}, {&param::kError}};
inline constexpr MessageName kUserNotify{
    .name = "user.notify",
    .doc = "A connection was registered, or is no longer.",
    .sent_by = "sip",
    .result = "ignored",
    .parameters = kUserNotifyParameters};

inline constexpr ParameterUse kUserRegisterParameters[] = {
    {&param::kUsername}, {&param::kNumber}, {&param::kDriver}, {&param::kData}, {&param::kExpires, Way::both},
    {&param::kSipUri}, {&param::kSipCallid}, {&param::kSipCseq}, {&param::kSipTo}, {&param::kSipContact},
    {&param::kSipInstance}, {&param::kRegId}, {&param::kSipPath}, {&param::kQ}, {&param::kBinding}, {&param::kDomain},
    {&param::kDevice}, {&param::kListener}, {&param::kIpHost}, {&param::kIpPort}, {&param::kIpTransport}, {&param::kAddress},
    {&param::kConnectionId}, {&param::kConnectionReliable}, {&param::kOconnectionId}, {&param::kRouteParams},
    {&param::kRegNatAddr}, {&param::kRegisterRegfile}, {&param::kRegisterRegister}, {&param::kMaxContacts, Way::out}, {&param::kShared, Way::out},
    {&param::kCode, Way::out}, {&param::kReason, Way::out}, {&param::kError, Way::out}};
inline constexpr MessageName kUserRegister{
    .name = "user.register",
    .doc = "A contact of a user is to be kept, one message for each.",
    .sent_by = "sip",
    .result = "true: kept, and it survives the end of the process; false: refused with code or reason. With `shared` the payload StoredBindings "
              "has all that the store keeps of the user now, those of other servers too",
    .parameters = kUserRegisterParameters};

inline constexpr ParameterUse kUserRegisteredParameters[] = {{&param::kUsername}};
inline constexpr MessageName kUserRegistered{
    .name = "user.registered",
    .doc = "Is this user registered now, here or at a server that shares the store?",
    .sent_by = "regexroute, for rules with $(registered,USER); scripts",
    .result = "true: yes; false also where the store could not be asked",
    .parameters = kUserRegisteredParameters};

inline constexpr ParameterUse kUserUnregisterParameters[] = {
    {&param::kUsername}, {&param::kBinding}, {&param::kConnectionId}, {&param::kDriver}, {&param::kData}, {&param::kNumber},
    {&param::kDomain}, {&param::kDevice}, {&param::kReason}, {&param::kIpHost}, {&param::kIpPort}, {&param::kIpTransport},
    {&param::kAddress}, {&param::kSipCallid}, {&param::kSipCseq}, {&param::kRegisterRegfile}, {&param::kRegisterRegister}, {&param::kShared, Way::out},
    {&param::kError, Way::out}, {&param::kCode, Way::out}};
inline constexpr MessageName kUserUnregister{
    .name = "user.unregister",
    .doc = "A binding ends: of one user (without `binding`: all of them), or with only `connection_id` all that came over that connection.",
    .sent_by = "sip",
    .result = "true: there was one; for a connection always false. With `shared` the payload StoredBindings has what the store still keeps of the user",
    .parameters = kUserUnregisterParameters};

}  // namespace jackfield::messages
