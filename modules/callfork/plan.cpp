#include "plan.h"

#include <jackfield/messages/parameters.h>
#include <jackfield/settings.h>

#include <charconv>

namespace jackfield::callfork {

namespace {

/// `|`, `|next=ms`, `|drop=ms`, `|exec`, `|exec=ms`: sets how the group ends. A separator of another kind parts groups like a plain one.
void read_separator(std::string_view text, Group& group) {
  const auto equals = text.find('=');
  if (text.substr(1, equals - 1) == "exec") group.next = Group::Next::lost;
  if (equals == std::string_view::npos) return;
  const auto word = text.substr(1, equals - 1);
  const auto digits = text.substr(equals + 1);
  long long milliseconds = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), milliseconds);
  if (error != std::errc() || end != digits.data() + digits.size() || milliseconds <= 0) return;
  if (word == "next") group.next = Group::Next::also;
  else if (word == "drop") group.next = Group::Next::instead;
  else if (word != "exec") return;
  group.after = Duration(milliseconds);
}

CallType call_type(std::string_view text) {
  if (text.starts_with("auxiliar")) return CallType::auxiliary;
  return text == "persistent" ? CallType::persistent : CallType::regular;
}

class Builder {
 public:
  void add(std::string_view entry, std::vector<std::pair<std::string, std::string>> parameters = {}) {
    if (entry.empty()) return;
    if (entry.front() != '|') {
      Target target{.callto = std::string(entry)};
      for (auto& [name, value] : parameters) {
        if (name == std::string_view(messages::param::kForkCalltype)) target.type = call_type(value);
        else if (name == std::string_view(messages::param::kForkRinger)) target.ringer = parse_boolean(value).value_or(false);
        else if (!is_fork_parameter(name)) target.parameters.emplace_back(std::move(name), std::move(value));
      }
      current_.targets.push_back(std::move(target));
      return;
    }
    read_separator(entry, current_);
    close();
  }
  std::vector<Group> finish() {
    current_.next = Group::Next::failed;
    close();
    return std::move(groups_);
  }

 private:
  void close() {
    if (!current_.targets.empty()) groups_.push_back(std::move(current_));
    current_ = {};
  }
  std::vector<Group> groups_;
  Group current_;
};

}  // namespace

std::vector<Group> read_plan(std::string_view callto, const Message& message) {
  Builder builder;
  callto.remove_prefix(std::min(callto.size(), std::string_view("fork").size()));
  bool listed = false;
  while (!callto.empty()) {
    const auto blank = callto.find(' ');
    const auto entry = callto.substr(0, blank);
    listed = listed || !entry.empty();
    builder.add(entry);
    callto.remove_prefix(blank == std::string_view::npos ? callto.size() : blank + 1);
  }
  for (unsigned number = 1; !listed; ++number) {
    const auto name = "callto." + std::to_string(number);
    const auto* entry = message.find(name);
    if (!entry) break;
    std::vector<std::pair<std::string, std::string>> parameters;
    for (const auto& parameter : message.parameters())
      if (parameter.name.size() > name.size() + 1 && parameter.name.starts_with(name) && parameter.name[name.size()] == '.')
        parameters.emplace_back(parameter.name.substr(name.size() + 1), parameter.value);
    builder.add(entry->value, std::move(parameters));
  }
  return builder.finish();
}

bool is_fork_parameter(std::string_view name) {
  return name == "callto" || name.starts_with("callto.") || name.starts_with("fork.");
}

}  // namespace jackfield::callfork
