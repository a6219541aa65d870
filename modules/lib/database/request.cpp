#include "database/request.h"

#include <fmt/format.h>

namespace jackfield::database {

std::string too_large() { return fmt::format("the result has more than {} MiB; ask for less", kMaxResult / (1024 * 1024)); }

std::string_view failure_name(Failure failure) {
  switch (failure) {
    case Failure::none: return "";
    case Failure::away: return "away";
    case Failure::late: return "late";
    case Failure::query: return "query";
    case Failure::value: return "value";
  }
  return "";
}

Request::Request(std::shared_ptr<const Query> query, std::span<const sql::Value> values, const std::atomic<bool>& cut_off)
    : query_(std::move(query)), cut_off_(cut_off) {
  std::size_t size = 0;
  for (const auto& value : values) size += value ? value->size() : 0;
  bytes_.reserve(size);  // grows no more: the views stay good
  values_.reserve(values.size());
  for (const auto& value : values) {
    if (!value) {
      values_.emplace_back();
      continue;
    }
    const auto at = bytes_.size();
    bytes_.append(*value);
    values_.emplace_back(std::string_view(bytes_).substr(at));
  }
}

void Request::fail(Failure failure, std::string error) {
  outcome = Outcome::answered;
  answer = {};
  answer.failure = failure;
  answer.error = std::move(error);
}

void Request::run_again(Failure failure, std::string error) {
  fail(failure, std::move(error));
  outcome = Outcome::again;
}

void Request::reset() {
  outcome = Outcome::none;
  answer = {};
}

}  // namespace jackfield::database
