// The last good answers of the database, for when it is away. Bounded in number: what was not used for longest goes first. Engine thread.
#pragma once

#include <jackfield/clock.h>
#include <jackfield/messages/database.h>

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace jackfield::register_module {

class AnswerCache {
 public:
  using Rows = std::shared_ptr<const messages::DatabaseRows>;
  /// Larger answers are not kept.
  static constexpr std::size_t kMostBytes = 16 * 1024;

  void set_limit(std::size_t limit);
  /// An answer without rows takes an earlier one away: nobody is there any more.
  void keep(const std::string& question, const Rows& rows, MonoTime now);
  /// Takes away all whose question begins so.
  void forget(std::string_view beginning);
  /// Null when there is none or it is older than `stale`.
  Rows find(const std::string& question, MonoTime now, Duration stale);
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string question;
    Rows rows;
    MonoTime since;
  };
  using Order = std::list<Entry>;  ///< newest use first

  Order order_;
  std::unordered_map<std::string_view, Order::iterator> entries_;
  std::size_t limit_ = 0;
};

/// Names a question by its section and by those of its values that are not of this one moment (`billid`, `now`, a nonce). With fewer values at the
/// end it is the beginning of those with more.
std::string cache_key(std::string_view section, std::string_view account, const messages::QueryValues& values);

}  // namespace jackfield::register_module
