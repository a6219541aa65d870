#include "counters.h"

#include <jackfield/messages/parameters.h>

#include <fmt/format.h>

namespace jackfield::callcounters {

namespace param = messages::param;

bool Counters::counts(std::string_view direction) const {
  return settings_.legs == CountedLegs::both || direction == (settings_.legs == CountedLegs::incoming ? "incoming" : "outgoing");
}

void Counters::forget(std::string_view chan) {
  const auto known = value_of_.find(std::string(chan));
  if (known == value_of_.end()) return;
  const auto counter = counts_.find(known->second);
  if (--counter->second == 0) counts_.erase(counter);
  value_of_.erase(known);
}

void Counters::record(const Message& cdr) {
  const auto operation = cdr.get(param::kOperation), chan = cdr.get(param::kChan);
  if (settings_.parameter.empty() || chan.empty() || operation == "combined") return;
  const auto value = cdr.get(settings_.parameter);
  if (operation != "finalize" && !value.empty() && counts(cdr.get(param::kDirection))) {
    const auto known = value_of_.find(std::string(chan));
    if (known != value_of_.end() && known->second == value) return;
    forget(chan);
    value_of_.emplace(chan, value);
    ++counts_[std::string(value)];
  } else {
    forget(chan);
  }
}

void Counters::tell(Message& route) const {
  if (settings_.parameter.empty()) return;
  const auto own = value_of_.find(std::string(route.get(param::kId)));
  const auto others = [&](const std::string& value, int count) { return own != value_of_.end() && own->second == value ? count - 1 : count; };
  const auto name = settings_.parameter + "_count";
  if (const std::string value(route.get(settings_.parameter)); !value.empty()) {
    const auto counter = counts_.find(value);
    route.set(name, static_cast<long long>(counter == counts_.end() ? 0 : others(value, counter->second)));
  }
  if (!settings_.all) return;
  for (const auto& [value, count] : counts_) route.set(fmt::format("{}_{}", name, value), static_cast<long long>(others(value, count)));
}

std::string Counters::status(bool details) const {
  auto line = fmt::format("name=callcounters,type=misc,format=Context|Count;counters={}", counts_.size());
  if (details) {
    char separator = ';';
    for (const auto& [value, count] : counts_) {
      line += fmt::format("{}{}={}", separator, value, count);
      separator = ',';
    }
  }
  return line + "\r\n";
}

}  // namespace jackfield::callcounters
