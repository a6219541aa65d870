// Messages about single SIP requests outside a call: what came and what scripts send.
#pragma once

#include <jackfield/messages/parameters.h>

namespace jackfield::messages {

inline constexpr ParameterUse kMsgExecuteParameters[] = {
    {&param::kCallto},   {&param::kCaller},   {&param::kCallername}, {&param::kCalled}, {&param::kUsername}, {&param::kDomain},
    {&param::kAntiloop}, {&param::kLine},     {&param::kHost},       {&param::kPort},   {&param::kOconnectionId}, {&param::kOipTransport},
    {&param::kXsipBody}, {&param::kXsipType}, {&param::kTimeout},    {&param::kCode, Way::out}, {&param::kError, Way::out}, {&param::kReason, Way::out}};
inline constexpr MessageName kMsgExecute{
    .name = "msg.execute",
    .doc = "Deliver a text message to where call.route, asked with route_type=msg, said it goes.",
    .sent_by = "drivers, for a message that arrived; scripts",
    .result = "true: it was delivered; false: `code` is the far side's answer where there was one, error and reason say why",
    .parameters = kMsgExecuteParameters};

inline constexpr ParameterUse kSipMethodParameters[] = {
    {&param::kCaller},  {&param::kCallername}, {&param::kCalled},    {&param::kUsername},     {&param::kDomain},      {&param::kInLine},
    {&param::kAddress}, {&param::kIpHost},     {&param::kIpPort},    {&param::kIpTransport},  {&param::kConnectionId}, {&param::kListener},
    {&param::kDevice},  {&param::kAntiloop},   {&param::kSipUri},    {&param::kSipFrom},      {&param::kSipTo},       {&param::kSipCallid},
    {&param::kSipCseq}, {&param::kMethod},     {&param::kXsipBody},  {&param::kXsipType},     {&param::kXsipDlgtag},  {&param::kCode, Way::out},
    {&param::kReason, Way::out}, {&param::kHandlers, Way::both}};
inline constexpr MessageName kSipMethod{
    .name = "sip.METHOD",
    .doc = "A request outside a dialog that nothing here answers by itself: sip.subscribe, sip.publish, sip.message, and so on in lower case. "
           "Its headers are sip_ and their names.",
    .sent_by = "sip, where a handler of that name is installed",
    .result = "true: answered with `code` or the return value, 200 to 699, 200 where it says neither, with osip_ parameters as headers; false: "
              "refused with `code`, or as a method that is not served",
    .parameters = kSipMethodParameters};

inline constexpr ParameterUse kXsipGenerateParameters[] = {
    {&param::kMethod}, {&param::kUri},          {&param::kId},           {&param::kUser},     {&param::kCaller},   {&param::kDomain},   {&param::kAuthname}, {&param::kPassword},
    {&param::kHost},   {&param::kPort},         {&param::kOconnectionId}, {&param::kOipTransport}, {&param::kWait}, {&param::kXsipBody, Way::both},
    {&param::kXsipType, Way::both}, {&param::kCode, Way::out}, {&param::kReason, Way::out}, {&param::kError, Way::out}};
inline constexpr MessageName kXsipGenerate{
    .name = "xsip.generate",
    .doc = "Send a request: to `uri`, or within the dialog of the leg `id`. Parameters that begin with sip_ are its headers. A challenge is "
           "answered where there is a password. Served with generate=yes in sip.conf.",
    .sent_by = "scripts",
    .result = "true: it was sent; with `wait` true: it was answered, and `code`, `reason`, sip_ headers and the body are the answer's",
    .parameters = kXsipGenerateParameters};

}  // namespace jackfield::messages
