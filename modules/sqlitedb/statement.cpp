#include "statement.h"

#include <utility>

namespace jackfield::sqlitedb {

PreparedNext prepare_next(sqlite3* db, std::string_view& text, bool lasting) {
  while (!text.empty()) {
    sqlite3_stmt* made = nullptr;
    const char* rest = nullptr;
    const int code = sqlite3_prepare_v3(db, text.data(), static_cast<int>(text.size()), lasting ? SQLITE_PREPARE_PERSISTENT : 0, &made, &rest);
    if (code != SQLITE_OK) return {code, nullptr};
    text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
    // A comment or a lone semicolon makes none.
    if (made != nullptr) return {SQLITE_OK, Statement(made)};
  }
  return {SQLITE_OK, nullptr};
}

PreparedText* StatementCache::find(std::string_view text) {
  const auto found = known_.find(text);
  if (found == known_.end()) return nullptr;
  order_.splice(order_.begin(), order_, found->second);
  return &found->second->prepared;
}

void StatementCache::keep(std::string text, PreparedText prepared) {
  if (known_.contains(text)) return;
  if (order_.size() == most_) {
    known_.erase(order_.back().text);
    order_.pop_back();
  }
  order_.push_front({std::move(text), std::move(prepared)});
  known_.emplace(order_.front().text, order_.begin());
}

}  // namespace jackfield::sqlitedb
