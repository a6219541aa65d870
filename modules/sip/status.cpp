#include "status.h"

#include <jackfield/messages/engine.h>

#include <fmt/format.h>

namespace jackfield::sip {

namespace param = messages::param;

bool add_status(jackfield::Message& message, Core& core, const registrar::Table& bindings, const call::Calls& calls) {
  constexpr std::string_view kName = "sip", kType = "varchans";
  const auto asked = message.get(param::kModule);
  if (!asked.empty() && asked != kName && asked != kType) return false;
  std::string line(message.retvalue());
  line += fmt::format("name={},type={},format=Status|Address|Peer;chans={},dialogs={},users={},bindings={},transactions={},completed={}", kName, kType,
                      calls.legs(), calls.dialogs(), bindings.users(), bindings.size(), core.transactions.live(), core.transactions.completed());
  if (message.flag(param::kDetails, true)) {
    char separator = ';';
    for (const auto* channel : core.engine.channels().all()) {
      if (channel->driver() != kName) continue;
      line += fmt::format("{}{}={}|{}|{}", separator, channel->id(), channel->status(), channel->address(), channel->peer());
      separator = ',';
    }
  }
  message.set_retvalue(line += "\r\n");
  return asked == kName;
}

}  // namespace jackfield::sip
