#include "wish.h"

#include <jackfield/messages/parameters.h>
#include <jackfield/settings.h>

#include <algorithm>

namespace jackfield::upperreg {
namespace param = messages::param;
namespace {

constexpr std::string_view kBindingPrefix = "binding.", kExpiresSuffix = ".expires";
constexpr std::size_t kMostBindings = 64;
constexpr std::chrono::seconds kUnsaid{3600};  // RFC 3261 §10.2

std::size_t number_of(std::string_view text) {
  const auto number = parse_integer(text).value_or(0);
  return number > 0 && number <= static_cast<std::int64_t>(kMostBindings) ? static_cast<std::size_t>(number) : 0;
}

}  // namespace

Wish Wish::of(const Message& message) {
  Wish out;
  out.all_leave = message.get(param::kSipContact) == "*";
  if (out.all_leave) return out;
  const std::chrono::seconds general(std::max(0ll, message.number(param::kExpires, kUnsaid.count())));
  const auto at = [&](std::size_t number) -> Binding& {
    while (out.bindings.size() < number) out.bindings.push_back({{}, general});
    return out.bindings[number - 1];
  };
  std::size_t next = 1;
  for (const auto& [name, value] : message.parameters()) {
    if (name == param::kBinding.name) {
      if (next <= kMostBindings) at(next++).key = value;
      continue;
    }
    if (!name.starts_with(kBindingPrefix)) continue;
    auto rest = name.substr(kBindingPrefix.size());
    const bool expires = rest.ends_with(kExpiresSuffix);
    if (expires) rest.remove_suffix(kExpiresSuffix.size());
    const auto number = number_of(rest);
    if (number == 0) continue;
    if (expires) at(number).expires = std::chrono::seconds(std::clamp<std::int64_t>(parse_integer(value).value_or(kUnsaid.count()), 0, UINT32_MAX));
    else at(number).key = value;
  }
  return out;
}

bool Wish::only_leaves() const {
  return all_leave || (!bindings.empty() && std::ranges::all_of(bindings, [](const Binding& one) { return one.expires.count() == 0; }));
}

Wish::Phones Wish::left(Phones before, std::chrono::seconds most) const {
  if (all_leave) return {};
  for (const auto& [key, expires] : bindings) {
    if (expires.count() == 0) before.erase(key);
    else before[key] = std::min(expires, most);
  }
  return before;
}

std::chrono::seconds longest(const Wish::Phones& phones) {
  std::chrono::seconds out{0};
  for (const auto& [key, left] : phones) out = std::max(out, left);
  return out;
}

}  // namespace jackfield::upperreg
