// The prepared statements of one connection: by their text, the ones used longest ago leave. Pure book-keeping: who uses it sends what
// it says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace jackfield::pgsqldb {

class Statements {
 public:
  explicit Statements(std::size_t most) : most_(most) {}

  /// Its name on the server; null when it is not prepared.
  const std::string* find(std::string_view text);
  /// Whether it came by already, lately; it has now.
  bool seen_before(std::string_view text);
  /// A name for what is about to be prepared; it counts only after add().
  std::string next_name() { return "j" + std::to_string(++last_); }
  /// Prepared under that name. Answers the name of one that must be deallocated for it.
  std::optional<std::string> add(std::string_view text, std::string name);
  /// Answers its name on the server, if it was there.
  std::optional<std::string> forget(std::string_view text);
  void clear();
  std::size_t size() const { return used_.size(); }

 private:
  struct Statement {
    std::string text, name;
  };
  static constexpr std::size_t kSeen = 512;
  std::size_t most_;
  std::uint64_t last_ = 0;
  std::list<Statement> used_;  ///< the latest in front
  std::unordered_map<std::string_view, std::list<Statement>::iterator> by_text_;
  std::deque<std::size_t> seen_;  ///< hashes; two texts with one are no harm
};

}  // namespace jackfield::pgsqldb
