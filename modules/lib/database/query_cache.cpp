#include "database/query_cache.h"

namespace jackfield::database {

tl::expected<std::shared_ptr<const Query>, sql::QueryError> QueryCache::parsed(std::string_view text) {
  if (const auto found = known_.find(text); found != known_.end()) return found->second;
  auto read = sql::QueryTemplate::parse(text, dialect_);
  if (!read) return tl::unexpected(std::move(read.error()));
  auto made = std::make_shared<const Query>(std::move(*read));
  if (order_.size() == kMost) {
    known_.erase(order_.front()->text.text());
    order_.pop_front();
  }
  known_.emplace(made->text.text(), made);
  order_.push_back(made);
  return made;
}

tl::expected<std::shared_ptr<const Query>, sql::QueryError> QueryCache::plain(std::string_view text) const {
  auto read = sql::QueryTemplate::plain(text, dialect_);
  if (!read) return tl::unexpected(std::move(read.error()));
  return std::make_shared<const Query>(std::move(*read));
}

}  // namespace jackfield::database
