#include "answer_cache.h"

#include <jackfield/messages/parameters.h>

#include <algorithm>
#include <array>

namespace jackfield::register_module {
namespace param = messages::param;
namespace {

/// Differ each time the same is asked.
constexpr std::array<std::string_view, 13> kPassing{
    "now",  "expires_at", param::kBillid.name, param::kId.name,     param::kNonce.name, param::kResponse.name, param::kUri.name,
    param::kSipCallid.name, param::kIpPort.name, param::kAddress.name, param::kTime.name,  param::kExpires.name,  param::kAntiloop.name};

std::size_t bytes_of(const messages::DatabaseRows& rows) {
  std::size_t bytes = 0;
  for (const auto& cell : rows.cells) bytes += cell ? cell->size() : 0;
  return bytes;
}

}  // namespace

void AnswerCache::set_limit(std::size_t limit) {
  limit_ = limit;
  while (order_.size() > limit_) {
    entries_.erase(order_.back().question);
    order_.pop_back();
  }
}

void AnswerCache::keep(const std::string& question, const Rows& rows, MonoTime now) {
  if (const auto found = entries_.find(question); found != entries_.end()) {
    const auto entry = found->second;
    entries_.erase(found);  // its view is of the entry's text
    order_.erase(entry);
  }
  if (limit_ == 0 || !rows || rows->size() == 0 || bytes_of(*rows) > kMostBytes) return;
  order_.push_front({question, rows, now});
  entries_.emplace(order_.front().question, order_.begin());
  set_limit(limit_);
}

void AnswerCache::forget(std::string_view beginning) {
  for (auto entry = order_.begin(); entry != order_.end();) {
    if (!entry->question.starts_with(beginning)) {
      ++entry;
      continue;
    }
    entries_.erase(entry->question);
    entry = order_.erase(entry);
  }
}

AnswerCache::Rows AnswerCache::find(const std::string& question, MonoTime now, Duration stale) {
  const auto found = entries_.find(question);
  if (found == entries_.end() || now - found->second->since > stale) return nullptr;
  order_.splice(order_.begin(), order_, found->second);
  return found->second->rows;
}

std::string cache_key(std::string_view section, std::string_view account, const messages::QueryValues& values) {
  std::string key(section);
  key.append(1, '\0').append(account);
  for (const auto& [name, value] : values.values) {
    if (std::ranges::find(kPassing, name) != kPassing.end()) continue;
    // Lengths, so that no value can look like the next name.
    key.append(1, '\0').append(std::to_string(value.size())).append(1, ':').append(name).append(1, '=').append(value);
  }
  return key;
}

}  // namespace jackfield::register_module
