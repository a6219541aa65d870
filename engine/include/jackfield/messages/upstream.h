// Messages about registrations that are carried to another server: Upper and Thru. `sip` asks whether a REGISTER has to be carried
// before it is served here; whoever carries it asks `sip` to send one in its place.
#pragma once

#include <jackfield/messages/parameters.h>

namespace jackfield::messages {

namespace param {
inline constexpr ParameterName kOwnDomain{"own_domain", "", "Whether the domain is one that sip's domains= names, or an address of this server."};
}

inline constexpr ParameterUse kUpstreamRegisterParameters[] = {
    {&param::kLine}, {&param::kUsername}, {&param::kDomain}, {&param::kSipUri}, {&param::kContactUser}, {&param::kSipCallid},
    {&param::kFromTag}, {&param::kAntiloop}, {&param::kSipCseq, Way::both}, {&param::kExpires, Way::both}, {&param::kAuthorization},
    {&param::kProxyAuthorization}, {&param::kAuthname}, {&param::kPassword}, {&param::kHa1Md5}, {&param::kHa1Sha256},
    {&param::kHa1Realm}, {&param::kAddress, Way::out}, {&param::kSipContact, Way::out}, {&param::kCode, Way::out},
    {&param::kReason, Way::out}, {&param::kError, Way::out}};
inline constexpr MessageName kUpstreamRegister{
    .name = "upstream.register",
    .doc = "Send one REGISTER for a user of another server by the connection `line`, whose servers are tried as for any registration (RFC 3261 "
           "§10.2). Without `contact_user` it only asks what is registered there. `authorization` and `proxy_authorization` go out as given; with "
           "`authname` or a password a challenge is answered, and `sip_cseq` says the last number that was used. `antiloop` is the Max-Forwards of whom it is for: it "
           "leaves with one less, and at 0 the answer is 483 and nothing is sent.",
    .sent_by = "upperreg",
    .result = "true: a server answered with `code`; `expires` is what it granted to our contact, 0 where that is not among those it lists; every "
              "Contact it lists is a `sip_contact`, its other headers are sip_ and their names, a repeated one repeated, without auth-int in a challenge's qop. "
              "false: none answered, and error and reason say why",
    .parameters = kUpstreamRegisterParameters};

inline constexpr ParameterUse kUserUpstreamParameters[] = {
    {&param::kAuthenticated}, {&param::kUsername, Way::both}, {&param::kDomain}, {&param::kOwnDomain}, {&param::kSipUri}, {&param::kSipFrom}, {&param::kSipTo},
    {&param::kSipCallid}, {&param::kSipCseq}, {&param::kAntiloop}, {&param::kSipContact}, {&param::kBinding}, {&param::kExpires, Way::both},
    {&param::kAuthorization}, {&param::kProxyAuthorization}, {&param::kIpHost}, {&param::kIpPort}, {&param::kIpTransport}, {&param::kAddress},
    {&param::kConnectionId}, {&param::kConnectionReliable}, {&param::kListener}, {&param::kDevice}, {&param::kNumber},
    {&param::kCode, Way::out}, {&param::kReason, Way::out}, {&param::kError, Way::out}};
inline constexpr MessageName kUserUpstream{
    .name = "user.upstream",
    .doc = "A REGISTER came that another server may have to agree to. Asked twice: with `authenticated` false before any credentials are looked at "
           "(`username` is To's user, `domain` its host), and once they were right. Each contact is a `binding`, and `binding.N.expires` says for how "
           "long the N-th was asked, 0 where it leaves; `sip_contact` is `*` where all leave. `antiloop` is its Max-Forwards.",
    .sent_by = "sip, where somebody handles it",
    .result = "true with a `code` from 200 to 299: it is carried out here for `username` (also where the answer names another) without further proof, and no "
              "binding is granted more than `expires`; true with another code: refused so, with osip_ parameters as headers, and without one with 500; false: whoever carries registrations has no part in it",
    .parameters = kUserUpstreamParameters};

}  // namespace jackfield::messages
