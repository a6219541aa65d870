#include "bindings/tell.h"

#include <jackfield/messages/parameters.h>
#include <jackfield/messages/stored_bindings.h>

#include <algorithm>
#include <charconv>

namespace jackfield::bindings {
namespace param = messages::param;
namespace {

/// What user.register said of it.
void describe(messages::StoredBinding& out, const Binding& binding) {
  const auto packed = binding.packed();
  out.username = packed.username();
  out.data = packed.data();
  out.expires = WallTime(std::chrono::milliseconds(binding.expires_ms()));
  std::size_t count = 0;
  const auto add = [&](std::string_view name, std::string_view value) {
    if (count == out.parameters.size()) out.parameters.emplace_back();
    auto& parameter = out.parameters[count++];
    parameter.first = name;
    parameter.second = value;
  };
  if (!packed.key().empty()) add(param::kBinding, packed.key());
  packed.each_parameter(add);
  out.parameters.resize(count);
}

}  // namespace

int preference(const Binding& binding) {
  const auto text = binding.packed().parameter(param::kQ).value_or(std::string_view("1"));
  double q = 1;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), q);
  return bad == std::errc() && end == text.data() + text.size() ? static_cast<int>(std::clamp(q, 0.0, 1.0) * 1000) : 1000;
}

bool tell(Message& message, const std::shared_ptr<const Store>& kept) {
  auto* all = message.payload<messages::StoredBindings>();
  if (!all) {
    auto made = std::make_shared<messages::StoredBindings>();
    all = made.get();
    message.attach(std::move(made));
  }
  if (const auto username = message.get(param::kUsername); !username.empty()) {
    std::vector<Binding*> found;
    kept->bindings().of_user(username, found);
    for (const auto* binding : found) describe(all->bindings.emplace_back(), *binding);
  } else {
    all->parts.push_back([lent = std::weak_ptr<const Store>(kept)](const messages::StoredBindings::Visit& visit) {
      const auto store = lent.lock();
      if (!store) return;
      messages::StoredBinding stored;  // one for all: its strings keep their room
      store->bindings().each([&](const Binding& binding) {
        describe(stored, binding);
        visit(stored);
      });
    });
  }
  return true;
}

}  // namespace jackfield::bindings
