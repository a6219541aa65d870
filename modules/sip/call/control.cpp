#include "call/control.h"

#include <jackfield/messages/chan.h>

#include "call/leg.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

void set_limits(Leg& leg, const BusMessage& message) {
  struct Limit {
    std::string_view name;
    Leg::Timer timer;
    bool until_answer;
  };
  for (const auto& [name, timer, until_answer] : {Limit{param::kTimeout, Leg::Timer::timeout, false}, {param::kMaxcall, Leg::Timer::maxcall, true},
                                                  {param::kMaxpdd, Leg::Timer::maxpdd, true}})
    if (const auto value = message.number(name, -1); value >= 0 && !(until_answer && leg.answered())) leg.limit(timer, Duration(value));
}

void query(const Leg& leg, BusMessage& message) {
  const auto& dialog = leg.dialog();
  message.set(param::kSipUri, dialog.target()).set(param::kSipFrom, dialog.local_party()).set(param::kSipTo, dialog.remote_party());
  message.set(param::kSipCallid, dialog.call_id());
  message.set(param::kLocalCseq, static_cast<long long>(dialog.local_cseq())).set(param::kRemoteCseq, static_cast<long long>(dialog.remote_cseq()));
  leg.complete(message);
}

}  // namespace

bool control(const Services& services, BusMessage& message) {
  Leg* leg = nullptr;
  for (const std::string_view name : {std::string_view(param::kTargetid), std::string_view(param::kComponent), std::string_view(param::kId)})
    if (!leg) leg = services.leg_of(message.get(name));
  if (!leg || leg->gone()) return false;
  set_limits(*leg, message);
  const auto operation = message.get(param::kOperation);
  const bool known = operation.empty() || operation == "query";
  if (operation == "query") query(*leg, message);
  message.set_flag(param::kOperationStatus, known);
  if (!known) message.set(param::kRetVal, "unknown operation");
  return true;
}

}  // namespace jackfield::sip::call
