#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>
#include <jackfield/messages/database.h>
#include <jackfield/messages/engine.h>
#include <jackfield/messages/media.h>
#include <jackfield/messages/sip.h>
#include <jackfield/messages/upstream.h>
#include <jackfield/messages/user.h>

#include <algorithm>

namespace jackfield::messages {

namespace {

constexpr auto kAll = [] {
  std::array list = {
      &kCallAnswered, &kCallCdr, &kCallDrop, &kCallExecute, &kCallPreroute, &kCallProgress, &kCallRinging, &kCallRoute,
      &kCallUpdate, &kChanConnect, &kChanConnected, &kChanControl, &kChanDisconnected, &kChanDtmf, &kChanHangup,
      &kChanLocate, &kChanMasquerade, &kChanNotify, &kChanReplaced, &kChanStartup, &kChanText, &kDatabase, &kEngineCommand,
      &kEngineDebug, &kEngineHalt, &kEngineHelp, &kEngineInit, &kEngineStart, &kEngineStatus, &kEngineStop, &kEngineTimer,
      &kMediaAnswer, &kMediaOffer, &kMediaRelease, &kMsgExecute, &kSipMethod, &kUpstreamRegister, &kUserAuth, &kUserAuthfail, &kUserBindings,
      &kUserLogin, &kUserNotify, &kUserRegister, &kUserRegistered, &kUserUnregister, &kUserUpstream, &kXsipGenerate};
  std::ranges::sort(list, {}, [](const MessageName* message) { return message->name; });
  return list;
}();

}  // namespace

std::span<const MessageName* const> all() { return kAll; }

const MessageName* find(std::string_view name) {
  const auto found = std::ranges::lower_bound(kAll, name, {}, [](const MessageName* message) { return message->name; });
  return found != kAll.end() && (*found)->name == name ? *found : nullptr;
}

}  // namespace jackfield::messages
