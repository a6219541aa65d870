// Texts of queries, parsed once. Engine thread only; what it gives out is shared and immutable.
#pragma once

#include "database/query.h"

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <unordered_map>

namespace jackfield::database {

class QueryCache {
 public:
  /// Configurations have tens of queries; more come from somebody who writes values into the text.
  static constexpr std::size_t kMost = 500;

  explicit QueryCache(sql::Dialect dialect) : dialect_(dialect) {}
  /// With placeholders; the oldest leave when there are too many.
  tl::expected<std::shared_ptr<const Query>, sql::QueryError> parsed(std::string_view text);
  /// As it is; not kept.
  tl::expected<std::shared_ptr<const Query>, sql::QueryError> plain(std::string_view text) const;
  std::size_t size() const { return known_.size(); }

 private:
  sql::Dialect dialect_;
  std::unordered_map<std::string_view, std::shared_ptr<const Query>> known_;  // by their own text
  std::deque<std::shared_ptr<const Query>> order_;
};

}  // namespace jackfield::database
