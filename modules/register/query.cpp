#include "query.h"

#include <jackfield/messages/parameters.h>
#include <jackfield/settings.h>

#include <fmt/format.h>

#include <algorithm>

#include <unistd.h>

namespace jackfield::register_module {
namespace param = messages::param;
namespace {

constexpr std::string_view kNow = "now", kExpiresAt = "expires_at", kProcess = "process";

/// Longer than any registration; more would leave what databases count seconds in.
constexpr long long kLongest = 10LL * 365 * 86400;

long long seconds_now(const Engine& engine) {
  return std::chrono::duration_cast<std::chrono::seconds>(engine.clock().wall().time_since_epoch()).count();
}

}  // namespace

Query::Query(std::string text) : text_(std::move(text)) {
  substitute(text_, [this](std::string_view name) -> std::optional<std::string_view> {
    if (std::ranges::find(names_, name) == names_.end()) names_.emplace_back(name);
    return std::nullopt;
  });
}

std::optional<std::string> Values::find(std::string_view name) const {
  // What the server knows comes first: nobody outside says otherwise.
  if (name == kNow) return std::to_string(seconds_now(engine_));
  if (name == kExpiresAt) {
    const auto expires = std::min(message_.number(param::kExpires), kLongest);
    return std::to_string(expires > 0 ? seconds_now(engine_) + expires : 0);
  }
  if (name == param::kNodename.name) return std::string(engine_.run_parameter(name).value_or(""));
  if (name == kProcess) return fmt::format("{}.{}", engine_.run_parameter(param::kRunid.name).value_or(""), ::getpid());
  for (const auto& [key, value] : more_)
    if (key == name) return std::string(value);
  if (const auto* given = message_.find(name)) return std::string(given->value);
  if (name == param::kRunid.name) return std::string(engine_.run_parameter(name).value_or(""));
  return std::nullopt;
}

messages::QueryValues Values::of(const Query& query) const {
  messages::QueryValues out;
  out.values.reserve(query.names().size());
  for (const auto& name : query.names())
    if (auto value = find(name)) out.values.emplace_back(name, std::move(*value));
  return out;
}

bool Values::about_nobody(const Query& query) const {
  return !query.names().empty() && std::ranges::all_of(query.names(), [this](const std::string& name) {
    return name == kNow || name == kProcess || name == param::kNodename.name || name == param::kRunid.name || message_.get(name).empty();
  });
}

}  // namespace jackfield::register_module
