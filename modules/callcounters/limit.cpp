#include "limit.h"

#include <algorithm>

namespace jackfield::callcounters {

Limit::Entry Limit::enter(const Message& question, std::string_view leg, MonoTime now) {
  const auto value = question.get(settings_.parameter);
  if (const auto held = value_of_.find(std::string(leg)); held != value_of_.end()) {
    if (held->second == value) return Entry::holds;
    release(leg);
  }
  if (value.empty()) return Entry::free;
  Value& of_value = values_.try_emplace(std::string(value), Value{.tokens = burst(), .refilled = now}).first->second;
  const int most = allowed(question, value);
  if ((most > 0 && of_value.calls >= most) || !may_begin(of_value, now)) return Entry::refused;
  ++of_value.calls;
  value_of_.emplace(leg, value);
  return Entry::entered;
}

int Limit::allowed(const Message& question, std::string_view value) const {
  if (!settings_.own_parameter.empty() && question.has(settings_.own_parameter))
    return static_cast<int>(std::clamp<long long>(question.number(settings_.own_parameter), 0, 1'000'000));
  return settings_.calls_of(value);
}

bool Limit::may_begin(Value& value, MonoTime now) {
  if (settings_.rate <= 0) return true;
  value.tokens = tokens(value, now);
  value.refilled = now;
  if (value.tokens < 1) return false;
  value.tokens -= 1;
  return true;
}

double Limit::tokens(const Value& value, MonoTime now) const {
  return std::min(burst(), value.tokens + settings_.rate * std::chrono::duration<double>(now - value.refilled).count());
}

bool Limit::would_refuse(const Message& question, MonoTime now) const {
  const auto value = question.get(settings_.parameter);
  if (value.empty()) return false;
  const auto known = values_.find(std::string(value));
  if (known == values_.end()) return false;
  const int most = allowed(question, value);
  return (most > 0 && known->second.calls >= most) || (settings_.rate > 0 && tokens(known->second, now) < 1);
}

void Limit::hand_over(std::string_view from, std::string_view to) {
  if (from == to) return;
  auto held = value_of_.extract(std::string(from));
  if (!held) return;
  held.key() = to;
  value_of_.insert(std::move(held));
}

void Limit::release(std::string_view leg) {
  const auto held = value_of_.find(std::string(leg));
  if (held == value_of_.end()) return;
  --values_.find(held->second)->second.calls;
  value_of_.erase(held);
}

void Limit::forget_idle(MonoTime now) {
  // Full again: what is forgotten is made anew exactly so.
  std::erase_if(values_, [&](auto& entry) {
    auto& [name, value] = entry;
    const auto idle = std::chrono::duration<double>(now - value.refilled).count();
    return value.calls == 0 && (settings_.rate <= 0 || value.tokens + settings_.rate * idle >= burst());
  });
}

}  // namespace jackfield::callcounters
