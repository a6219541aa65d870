#include "statements.h"

#include <algorithm>
#include <functional>

namespace jackfield::pgsqldb {

const std::string* Statements::find(std::string_view text) {
  const auto found = by_text_.find(text);
  if (found == by_text_.end()) return nullptr;
  used_.splice(used_.begin(), used_, found->second);
  return &found->second->name;
}

bool Statements::seen_before(std::string_view text) {
  const auto hash = std::hash<std::string_view>{}(text);
  if (std::ranges::find(seen_, hash) != seen_.end()) return true;
  seen_.push_back(hash);
  if (seen_.size() > kSeen) seen_.pop_front();
  return false;
}

std::optional<std::string> Statements::add(std::string_view text, std::string name) {
  used_.push_front({std::string(text), std::move(name)});
  by_text_.emplace(used_.front().text, used_.begin());
  if (used_.size() <= most_) return std::nullopt;
  return forget(used_.back().text);
}

std::optional<std::string> Statements::forget(std::string_view text) {
  const auto found = by_text_.find(text);
  if (found == by_text_.end()) return std::nullopt;
  const auto statement = found->second;
  by_text_.erase(found);
  auto name = std::move(statement->name);
  used_.erase(statement);
  return name;
}

void Statements::clear() {
  by_text_.clear();
  used_.clear();
}

}  // namespace jackfield::pgsqldb
